use super::*;
use proptest::prelude::*;

fn read(cell: &str) -> Responsible {
    parse_responsible(cell).unwrap()
}

fn check(cell: &str, lead: &[&str], supporting: &[&str], repairs: usize) {
    let read = read(cell);
    assert_eq!(read.lead, lead, "{cell}");
    assert_eq!(read.supporting, supporting, "{cell}");
    assert_eq!(read.repairs.len(), repairs, "{cell}: {:?}", read.repairs);
}

#[test]
fn the_usual_cell_is_read_in_both_widths() {
    for cell in [
        "牵头部门:市农业农村局;参与部门:市自然资源局、市市场监管局。",
        "牵头部门：市农业农村局；参与部门：市自然资源局、市市场监管局。",
        "牵头单位：市农业农村局\n配合单位：市自然资源局，市市场监管局",
        "（责任单位：市农业农村局；支持单位：市自然资源局、市市场监管局）",
        " 牵头 : 市农业农村局 ; 参与 : 市自然资源局 、 市市场监管局 ",
    ] {
        check(cell, &["市农业农村局"], &["市自然资源局", "市市场监管局"], 0);
    }
    check("牵头部门:市市场监管局。", &["市市场监管局"], &[], 0);
    check("牵头部门:市财政局;参与部门:", &["市财政局"], &[], 0);
}

#[test]
fn wrong_and_missing_separators_are_repaired() {
    check("牵头部门:市财政局:参与部门:市委军民融合办。", &["市财政局"], &["市委军民融合办"], 1);
    check("牵头部门：市财政局：参与部门：团市委", &["市财政局"], &["团市委"], 1);
    check("牵头部门:市财政局、参与部门:团市委", &["市财政局"], &["团市委"], 1);
    check("牵头部门:市财政局。参与部门:团市委。", &["市财政局"], &["团市委"], 1);
    check("牵头部门:市财政局参与部门:团市委", &["市财政局"], &["团市委"], 1);
    check("牵头部门市财政局;参与部门:团市委", &["市财政局"], &["团市委"], 1);
    check("牵头部门;市财政局;参与部门:团市委", &["市财政局"], &["团市委"], 1);
    check("牵头部门:市财政局;;参与部门:团市委;市总工会", &["市财政局"], &["团市委", "市总工会"], 2);
    check("牵头部门:市财政局。以上由市督查室检查。", &["市财政局"], &[], 1);
}

#[test]
fn missing_labels_are_read_from_what_is_there() {
    check("市财政局;参与部门:市教育局", &["市财政局"], &["市教育局"], 1);
    check("由市财政局牵头,市教育局、团市委配合", &["市财政局"], &["市教育局", "团市委"], 0);
    check("市财政局(牵头)、市教育局", &["市财政局"], &["市教育局"], 1);
    check("牵头单位:市财政局;责任单位:市教育局", &["市财政局"], &["市教育局"], 1);
    assert!(!read("市财政局").joint);
    let joint = read("市财政局、市教育局");
    assert_eq!((joint.joint, joint.lead.len()), (true, 2));
    let joint = read("省质监局、省经信委、省商务厅等按职责分工负责");
    assert_eq!(joint.lead, ["省质监局", "省经信委", "省商务厅"]);
    assert!(joint.joint && joint.open_ended && joint.open_groups.is_empty());
}

#[test]
fn groups_keep_their_brackets_and_leave_the_list_open() {
    let read = read(
        "牵头部门:市市场监管局;参与部门:各县(市、区)人民政府、市直相关单位,市质量强市工作领导小组成员单位",
    );
    assert_eq!(read.supporting, ["各县（市、区）人民政府", "市直相关单位", "市质量强市工作领导小组成员单位"]);
    assert_eq!(read.open_groups, read.supporting);
    assert!(read.open_ended && read.repairs.is_empty());
    for (cell, open) in [
        ("牵头部门:市商务局等", true),
        ("牵头部门:市商务局等部门", true),
        ("牵头部门:市商务局、等", true),
        ("牵头部门:市商务局、湛江海关等8个有关单位", true),
        ("牵头部门:高等教育处", false),
        ("牵头部门:省属各企业", true),
    ] {
        assert_eq!(parse_responsible(cell).unwrap().open_ended, open, "{cell}");
    }
}

#[test]
fn a_name_is_the_same_whichever_brackets_and_blanks_it_has() {
    for cell in
        ["各县（市、区）人民政府", "各县(市、区)人民政府", "各县 (市、区) 人民政府", "各县( 市、区 )人民政府"]
    {
        check(cell, &["各县（市、区）人民政府"], &[], 0);
    }
}

#[test]
fn names_are_cut_only_where_it_is_safe() {
    check("牵头部门:市住房和城乡建设局、市教育和体育局", &["市住房和城乡建设局", "市教育和体育局"], &[], 0);
    check("牵头部门:发展和改革委", &["发展和改革委"], &[], 0);
    check("牵头部门:市公安局及市司法局以及各区政府", &["市公安局", "市司法局", "各区政府"], &[], 2);
    check("牵头部门:知识产权保护及国际合作处", &["知识产权保护及国际合作处"], &[], 0);
    check("牵头部门:省政府办(督查室及各处)", &["省政府办（督查室及各处）"], &[], 0);
}

#[test]
fn a_unit_is_named_once() {
    check("牵头部门:市水务局、市水务局;参与部门:市水务局、团市委、团市委", &["市水务局"], &["团市委"], 3);
    check("牵头部门:市水务局;参与部门:无", &["市水务局"], &[], 1);
}

#[test]
fn what_cannot_be_read_is_refused() {
    use ResponsibleError as E;
    for (cell, error) in [
        ("", E::Empty),
        (" \u{3000}。", E::Empty),
        ("牵头部门:;参与部门:", E::Empty),
        ("牵头部门:;参与部门:市水务局", E::NoLead),
        ("牵头部门:各县(市、区政府", E::Brackets),
        ("牵头部门:市水务局)", E::Brackets),
        ("完成时限:年底", E::UnknownLabel("完成时限".into())),
        ("牵头部门:市水务局;责任人:局长", E::UnknownLabel("责任人".into())),
    ] {
        assert_eq!(parse_responsible(cell), Err(error), "{cell}");
    }
    assert!(matches!(parse_responsible("市\0局"), Err(E::Forbidden(_))));
    assert!(matches!(parse_responsible(&"局".repeat(101)), Err(E::NameTooLong(_))));
    assert_eq!(parse_responsible(&"局".repeat(5_001)), Err(E::TooLong));
    let many: Vec<_> = (0..101).map(|i| format!("市{i}局")).collect();
    assert_eq!(parse_responsible(&many.join("、")), Err(E::TooManyUnits));
}

proptest! {
    #[test]
    fn any_cell_is_read_or_refused(
        cell in "([:：;；,，、。()（）等及和由 \n]|牵头部门|参与单位|责任单位|牵头|配合|按职责分工负责|市水务局|各区|无|[a-z]|.){0,14}"
    ) {
        let text = normalised(&cell);
        prop_assert_eq!(&normalised(&text), &text);
        if let Ok(read) = parse_responsible(&cell) {
            prop_assert!(!read.lead.is_empty());
            for name in read.lead.iter().chain(&read.supporting) {
                prop_assert!(!name.trim().is_empty() && text.contains(name.as_str()));
                prop_assert_eq!(read.lead.iter().chain(&read.supporting).filter(|n| *n == name).count(), 1);
            }
            prop_assert!(read.open_groups.iter().all(|g| read.lead.contains(g) || read.supporting.contains(g)));
        }
    }
}
