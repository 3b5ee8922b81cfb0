//! The cell that names the responsible units (责任部门), as in `牵头部门:市商务局;参与部门:市财政局、湛江海关。`
//!
//! Half- and full-width punctuation, wrong or missing separators and labels, open groups and doubled names are
//! read as a person would read them, and each such reading is reported. Names are not looked up here.

use super::text::{clean, excerpt, folded, forbidden, half_width};

/// Most characters of the cell.
pub const MAX_CELL_CHARS: usize = 5_000;
/// Most characters of the name of a unit.
pub const MAX_NAME_CHARS: usize = 100;
/// Most units in one cell.
pub const MAX_UNITS: usize = 100;

/// Labels of the units that lead.
const LEAD: &[&str] =
    &["牵头责任单位", "牵头部门", "牵头单位", "主办单位", "主办部门", "主责单位", "主责部门", "牵头", "主办"];
/// Labels of responsible units: they lead unless others are named as leading.
const RESPONSIBLE: &[&str] =
    &["责任单位", "责任部门", "负责单位", "负责部门", "责任主体", "落实单位", "实施单位"];
/// Labels of the units that support.
const SUPPORTING: &[&str] = &[
    "参与部门",
    "参与单位",
    "参加单位",
    "参加部门",
    "配合单位",
    "配合部门",
    "协办单位",
    "协办部门",
    "协助单位",
    "支持单位",
    "参与",
    "配合",
    "协办",
];
/// Words after a list of units that lead.
const LEADS: &[&str] = &["共同牵头负责", "牵头负责", "共同牵头", "牵头", "负责"];
/// Words after a list of units that support.
const SUPPORTS: &[&str] = &["配合落实", "积极配合", "共同配合", "协同配合", "配合", "参与", "协助", "协办"];
/// Words after a list of units each of which answers for its part.
const JOINT: &[&str] = &[
    "按照各自职责分工负责",
    "按各自职责分工负责",
    "按照职责分工负责",
    "根据职责分工负责",
    "按职责分工负责",
    "依职责分工负责",
    "按职责分工落实",
    "按职责分工",
    "分工负责",
];
/// What a name of a unit ends with, to tell 及 between two units from 及 inside a name.
const UNIT_ENDS: &[&str] = &[
    "局", "委", "办", "厅", "部", "院", "会", "处", "室", "中心", "政府", "单位", "部门", "公司", "海关",
    "行", "所", "站", "队", "集团", "学校", "大学", "协会", "署", "机构", "企业",
];
/// What the name after such a 及 begins with.
const UNIT_STARTS: &[&str] = &["市", "省", "县", "各", "中", "国", "有关", "相关", "其他", "其它"];
/// What stands in a cell to say that there is no unit.
const NOBODY: &[&str] = &["无", "/", "-", "—", "——", "--", "暂无"];

/// The units of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responsible {
    /// Units that lead, or answer together when `joint`.
    pub lead: Vec<String>,
    /// Units that support.
    pub supporting: Vec<String>,
    /// Each unit answers for its part (按职责分工负责), or several units stand without any label.
    pub joint: bool,
    /// The list goes on (等) or names an open group.
    pub open_ended: bool,
    /// The units, also named above, that are groups whose members are not listed.
    pub open_groups: Vec<String>,
    /// What was read otherwise than written: found and reading.
    pub repairs: Vec<(String, String)>,
}

/// Why a cell cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponsibleError {
    /// No unit is named.
    #[error("no unit is named; write 牵头部门: and the unit")]
    Empty,
    /// Units support, but none leads.
    #[error("units support, but none leads; write 牵头部门: and the unit")]
    NoLead,
    /// The cell is too long.
    #[error("longer than {MAX_CELL_CHARS} characters")]
    TooLong,
    /// A character that no text may hold.
    #[error("{0}")]
    Forbidden(String),
    /// Brackets that do not match.
    #[error("the brackets do not match; close every bracket that is opened")]
    Brackets,
    /// A colon after something that is neither a known label nor a unit before one.
    #[error("`{0}` before a colon is no known label; write 牵头部门: or 参与部门:")]
    UnknownLabel(String),
    /// The name of a unit is too long.
    #[error("the name `{0}` is longer than {MAX_NAME_CHARS} characters; separate units by 、")]
    NameTooLong(String),
    /// Too many units.
    #[error("more than {MAX_UNITS} units")]
    TooManyUnits,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Lead,
    Responsible,
    Supporting,
    Unlabelled,
}

/// The cell as it is read: blanks set right, punctuation half-width, brackets full-width as in the names of units.
/// Every unit that is read is a part of this text.
pub fn normalised(cell: &str) -> String {
    // Brackets first: beside those of Chinese text a blank means nothing, whichever way they were typed.
    let bracketed: String = cell.chars().map(full_width_bracket).collect();
    clean(&bracketed, true).text.chars().map(half_width).map(full_width_bracket).collect()
}

fn full_width_bracket(c: char) -> char {
    match c {
        '(' => '（',
        ')' => '）',
        c => c,
    }
}

/// Reads the cell.
///
/// # Errors
/// Nobody leads, or the cell cannot be followed without guessing.
pub fn parse_responsible(cell: &str) -> Result<Responsible, ResponsibleError> {
    if cell.chars().count() > MAX_CELL_CHARS {
        return Err(ResponsibleError::TooLong);
    }
    if let Some(reason) = forbidden(cell) {
        return Err(ResponsibleError::Forbidden(reason));
    }
    let text = normalised(cell);
    let segments = segments(unwrapped(&text))?;
    let mut reader = Reader::default();
    reader.read(&segments)?;
    reader.finish()
}

/// A piece of the text and the separator after it; `None` at the end.
#[derive(Clone, Copy)]
struct Segment<'a> {
    text: &'a str,
    end: Option<char>,
}

/// The text without brackets around the whole of it, as copied from a running text.
fn unwrapped(text: &str) -> &str {
    let bare = text.trim_end_matches(['。', '.', ' ', '\n']);
    let Some(inner) = bare.strip_prefix('（').and_then(|t| t.strip_suffix('）')) else { return text };
    let mut depth = 0;
    let closes_early = inner.chars().any(|c| {
        depth += bracket(c);
        depth < 0
    });
    if closes_early { text } else { inner }
}

fn bracket(c: char) -> i32 {
    match c {
        '（' => 1,
        '）' => -1,
        _ => 0,
    }
}

/// Cuts the text at its separators, but not inside brackets: 各县（市、区）人民政府 is one name.
fn segments(text: &str) -> Result<Vec<Segment<'_>>, ResponsibleError> {
    let (mut out, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        depth += bracket(c);
        if depth < 0 {
            return Err(ResponsibleError::Brackets);
        }
        if depth == 0 && matches!(c, ':' | ';' | ',' | '、' | '。' | '\n') {
            out.push(Segment { text: text[start..at].trim(), end: Some(c) });
            start = at + c.len_utf8();
        }
    }
    if depth != 0 {
        return Err(ResponsibleError::Brackets);
    }
    out.push(Segment { text: text[start..].trim().trim_end_matches('.'), end: None });
    // A break of the line after a separator separates nothing more.
    out.retain(|segment| !(segment.text.is_empty() && matches!(segment.end, Some('\n') | None)));
    Ok(out)
}

/// The role of a label, if the text is one; a note in brackets after it does not matter.
fn label(text: &str) -> Option<Role> {
    let bare = text.split('（').next().unwrap_or_default().trim();
    [(LEAD, Role::Lead), (RESPONSIBLE, Role::Responsible), (SUPPORTING, Role::Supporting)]
        .into_iter()
        .find_map(|(labels, role)| labels.contains(&bare).then_some(role))
}

/// The role of the label that the text begins with, and what follows. Two-character labels are too short for that.
fn leading_label(text: &str) -> Option<(Role, &str)> {
    cut_label(text, |text, label| text.strip_prefix(label))
}

/// What precedes the label that the text ends with, and the role of the label.
fn trailing_label(text: &str) -> Option<(Role, &str)> {
    cut_label(text, |text, label| text.strip_suffix(label))
}

fn cut_label<'a>(
    text: &'a str,
    cut: fn(&'a str, &'static str) -> Option<&'a str>,
) -> Option<(Role, &'a str)> {
    [(LEAD, Role::Lead), (RESPONSIBLE, Role::Responsible), (SUPPORTING, Role::Supporting)]
        .into_iter()
        .flat_map(|(labels, role)| labels.iter().map(move |label| (*label, role)))
        .filter(|(label, _)| label.chars().count() >= 4)
        .find_map(|(label, role)| Some((role, cut(text, label)?)))
        .filter(|(_, rest)| !rest.is_empty())
}

fn begins_with_label(segment: Option<&Segment<'_>>) -> bool {
    segment.is_some_and(|s| label(s.text).is_some() || leading_label(s.text).is_some())
}

/// Units in the order in which they stand, grouped by label.
#[derive(Default)]
struct Reader {
    groups: Vec<(Role, Vec<String>)>,
    out: Responsible,
}

impl Reader {
    fn read(&mut self, segments: &[Segment<'_>]) -> Result<(), ResponsibleError> {
        self.begin(Role::Unlabelled);
        for (i, segment) in segments.iter().enumerate() {
            let next = segments.get(i + 1);
            self.segment(*segment, next)?;
            if segment.end == Some('。') && next.is_some() {
                if !begins_with_label(next) {
                    let rest: Vec<_> = segments[i + 1..].iter().map(|s| s.text).collect();
                    self.repair(&rest.join(" "), "text after 。 left out");
                    break;
                }
                self.repair("。", "; between leading and supporting units");
            }
        }
        Ok(())
    }

    fn segment(&mut self, segment: Segment<'_>, next: Option<&Segment<'_>>) -> Result<(), ResponsibleError> {
        let text = segment.text;
        if text.is_empty() {
            self.repair(
                &segment.end.map_or(String::new(), String::from),
                "separator without a name before it",
            );
            return Ok(());
        }
        if let Some(role) = label(text) {
            if segment.end != Some(':') {
                self.repair(text, format!("{text}:"));
            }
            self.begin(role);
            return Ok(());
        }
        if segment.end == Some(':') {
            if let Some((role, unit)) = trailing_label(text) {
                self.repair(text, format!("{unit};{}:", &text[unit.len()..]));
                self.units(unit)?;
                self.begin(role);
                return Ok(());
            }
            if !begins_with_label(next) {
                return Err(ResponsibleError::UnknownLabel(excerpt(text)));
            }
        }
        self.separator(segment.end, next);
        if let Some((role, rest)) = leading_label(text) {
            let label = &text[..text.len() - rest.len()];
            self.repair(text, format!("{label}:{rest}"));
            self.begin(role);
            return self.units(rest.trim_start_matches('为').trim());
        }
        self.phrase(text)
    }

    /// Reports a separator that is not the usual one at its place.
    fn separator(&mut self, end: Option<char>, next: Option<&Segment<'_>>) {
        match (end, next.is_some_and(|next| !next.text.is_empty()), begins_with_label(next)) {
            (Some(c @ (':' | '、' | ',')), _, true) => {
                self.repair(&c.to_string(), "; between leading and supporting units");
            }
            (Some(';'), true, false) => self.repair(";", "、 between two units"),
            _ => {}
        }
    }

    /// Units, perhaps with words after them that tell their role: 由市商务局牵头, 市财政局配合.
    fn phrase(&mut self, text: &str) -> Result<(), ResponsibleError> {
        if let Some(units) = strip_any(text, JOINT) {
            self.out.joint = true;
            return self.units(units);
        }
        if self.role() != Role::Unlabelled {
            return self.units(text);
        }
        let text = text.strip_prefix('由').unwrap_or(text);
        for (words, role) in [(LEADS, Role::Lead), (SUPPORTS, Role::Supporting)] {
            if let Some(units) = strip_any(text, words) {
                self.units(units)?;
                if let Some(group) = self.groups.last_mut() {
                    group.0 = role;
                }
                self.begin(Role::Unlabelled);
                return Ok(());
            }
        }
        self.units(text)
    }

    fn units(&mut self, text: &str) -> Result<(), ResponsibleError> {
        let (name, open) = without_etc(text.trim());
        self.out.open_ended |= open;
        let (first, rest) = split_and(name);
        if rest.is_some() {
            self.repair(name, "及 between two units");
        }
        self.unit(first)?;
        rest.map_or(Ok(()), |rest| self.units(rest))
    }

    fn unit(&mut self, name: &str) -> Result<(), ResponsibleError> {
        if name.is_empty() {
            return Ok(());
        }
        if NOBODY.contains(&name) || !name.chars().any(char::is_alphanumeric) {
            self.repair(name, "no unit");
            return Ok(());
        }
        // 市商务局（牵头）: the word in brackets speaks of this unit alone.
        if let Some((bare, word)) = name.strip_suffix('）').and_then(|n| n.rsplit_once('（'))
            && let Some(role @ (Role::Lead | Role::Supporting)) = label(word)
            && !bare.is_empty()
        {
            let group = self.role();
            self.begin(role);
            self.unit(bare)?;
            self.begin(group);
            return Ok(());
        }
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(ResponsibleError::NameTooLong(excerpt(name)));
        }
        if name.contains([':', ';', '\n']) {
            return Err(ResponsibleError::UnknownLabel(excerpt(name)));
        }
        if self.groups.iter().map(|(_, units)| units.len()).sum::<usize>() >= MAX_UNITS {
            return Err(ResponsibleError::TooManyUnits);
        }
        if let Some((_, units)) = self.groups.last_mut() {
            units.push(name.to_owned());
        }
        Ok(())
    }

    fn begin(&mut self, role: Role) {
        self.groups.push((role, Vec::new()));
    }

    fn role(&self) -> Role {
        self.groups.last().map_or(Role::Unlabelled, |(role, _)| *role)
    }

    fn repair(&mut self, found: &str, reading: impl Into<String>) {
        self.out.repairs.push((excerpt(found), excerpt(&reading.into())));
    }

    /// Gives every group its part, once all labels are known.
    fn finish(mut self) -> Result<Responsible, ResponsibleError> {
        let mut groups = std::mem::take(&mut self.groups);
        groups.retain(|(_, units)| !units.is_empty());
        let has = |wanted: Role| groups.iter().any(|(role, _)| *role == wanted);
        let (lead, responsible, supporting) =
            (has(Role::Lead), has(Role::Responsible), has(Role::Supporting));
        for (role, units) in groups {
            let (leads, reading) = match role {
                Role::Supporting => (false, None),
                Role::Responsible if lead => (false, Some("supporting, since others are named as leading")),
                Role::Lead | Role::Responsible => (true, None),
                Role::Unlabelled if lead || responsible => (false, Some("supporting, since it has no label")),
                Role::Unlabelled if supporting => {
                    (true, Some("leading, since it stands without label before the others"))
                }
                Role::Unlabelled => {
                    self.out.joint |= units.len() > 1;
                    (true, None)
                }
            };
            if let Some(reading) = reading {
                self.repair(&units.join("、"), reading);
            }
            let list = if leads { &mut self.out.lead } else { &mut self.out.supporting };
            list.extend(units);
        }
        self.drop_doubles();
        let named = self.out.lead.iter().chain(&self.out.supporting);
        self.out.open_groups = named.filter(|name| is_open_group(name)).cloned().collect();
        self.out.open_ended |= !self.out.open_groups.is_empty();
        match (self.out.lead.is_empty(), self.out.supporting.is_empty()) {
            (true, true) => Err(ResponsibleError::Empty),
            (true, false) => Err(ResponsibleError::NoLead),
            _ => Ok(self.out),
        }
    }

    /// Keeps each unit once, and as leading when it is named as both.
    fn drop_doubles(&mut self) {
        let mut seen: Vec<String> = Vec::new();
        for (supporting, list) in
            [(false, std::mem::take(&mut self.out.lead)), (true, std::mem::take(&mut self.out.supporting))]
        {
            let leads = if supporting { seen.len() } else { 0 };
            let mut kept = Vec::new();
            for name in list {
                match seen.iter().position(|known| *known == name) {
                    Some(at) if at < leads => {
                        self.repair(&name, "named as leading and supporting; kept as leading");
                    }
                    Some(_) => self.repair(&name, "named twice; kept once"),
                    None => {
                        seen.push(name.clone());
                        kept.push(name);
                    }
                }
            }
            if supporting { self.out.supporting = kept } else { self.out.lead = kept }
        }
    }
}

fn strip_any<'a>(text: &'a str, ends: &[&str]) -> Option<&'a str> {
    ends.iter().find_map(|end| text.strip_suffix(end))
}

/// The name without 等, 等部门, 等5个有关单位 after it, and whether there was one.
fn without_etc(name: &str) -> (&str, bool) {
    let Some((head, tail)) = name.rsplit_once('等') else { return (name, false) };
    let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit() || "一二三四五六七八九十".contains(c));
    let tail = tail.trim_start_matches(['个', '家', '各']);
    let tail = ["有关", "相关"].iter().find_map(|word| tail.strip_prefix(word)).unwrap_or(tail);
    if matches!(tail, "" | "部门" | "单位" | "处室" | "部门和单位" | "部门单位") {
        (head.trim(), true)
    } else {
        (name, false)
    }
}

/// Cuts at 及 or 以及 where it certainly stands between two units. 和 is never cut: it is part of many names.
fn split_and(name: &str) -> (&str, Option<&str>) {
    let mut depth = 0;
    for (at, c) in name.char_indices() {
        depth += bracket(c);
        if c != '及' || depth != 0 {
            continue;
        }
        let (before, after) = (&name[..at], &name[at + c.len_utf8()..]);
        let before = before.strip_suffix('以').unwrap_or(before).trim();
        let after = after.trim();
        if UNIT_ENDS.iter().any(|end| before.ends_with(end))
            && UNIT_STARTS.iter().any(|start| after.starts_with(start))
        {
            return (before, Some(after));
        }
    }
    (name, None)
}

/// Whether a name stands for units that are not listed: 各县（市、区）人民政府, 市直相关单位, 领导小组成员单位.
pub fn is_open_group(name: &str) -> bool {
    let name = folded(name);
    ["各", "其他", "其它"].iter().any(|start| name.starts_with(start))
        || ["有关", "相关"].iter().any(|word| name.contains(word))
        || ["单位", "部门", "处室", "企业"].iter().any(|end| name.ends_with(end))
        || name.contains("属各")
}

#[cfg(test)]
mod tests;
