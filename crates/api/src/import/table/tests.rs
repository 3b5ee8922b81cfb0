use super::super::xlsx_rows::tests::{cell, workbook};
use super::*;
use proptest::prelude::*;

const HEADER: &str = "序号,工作任务,主要内容,责任部门\n";

fn csv(rows: &str) -> Table {
    read_table(format!("{HEADER}{rows}").as_bytes(), "table.csv").unwrap()
}

fn brief(table: &Table) -> Vec<(u32, &str, &str, &str, &str)> {
    table
        .rows
        .iter()
        .map(|r| (r.row, r.number.as_str(), r.title.as_str(), r.content.as_str(), r.responsible.as_str()))
        .collect()
}

fn rejected(table: &Table) -> Vec<(u32, &str)> {
    table.rejected.iter().map(|r| (r.row, r.field.as_str())).collect()
}

#[test]
fn both_widths_delimiters_and_line_ends_give_the_same_rows() {
    let expected =
        [(2, "1", "提升服务", "做好,服务", "牵头部门:市商务局"), (4, "2", "提升质量", "", "市水务局")];
    for text in [
        "序号,工作任务,主要内容,责任部门\n1,提升服务,\"做好,服务\",牵头部门:市商务局\n\n2,提升质量,,市水务局\n,,,\n",
        "\u{feff}序号;重点任务;工作内容;责任单位\r\n1;提升服务;做好,服务;牵头部门:市商务局\r\n\r\n2;提升质量;;市水务局",
        " 序 号 \t任务\t内容\t责任部门（单位）\n1.0\t提升服务\t做好,服务\t牵头部门:市商务局\n\n2、\t提升质量\t\t市水务局",
    ] {
        let table = read_table(text.as_bytes(), "table.csv").unwrap();
        assert_eq!(brief(&table), expected, "{text}");
        assert_eq!((table.rows_read, table.rejected.total()), (2, 0));
    }
}

#[test]
fn a_title_above_and_columns_beside_do_not_matter() {
    let table = read_table(
        "质量提升任务分解表,,,,\n,,,,\n编号,完成时限,任务名称,主要内容,牵头单位,配合单位\n1,年底,甲,乙,市商务局、市水务局。,团市委\n编号,完成时限,任务名称,主要内容,牵头单位,配合单位\n2,年底,丙,丁,市水务局,\n"
            .as_bytes(),
        "table.csv",
    )
    .unwrap();
    let expected = [
        (4, "1", "甲", "乙", "牵头部门:市商务局、市水务局;参与部门:团市委"),
        (6, "2", "丙", "丁", "牵头部门:市水务局"),
    ];
    assert_eq!(brief(&table), expected);
    let repairs: Vec<_> = table.repairs.iter().map(|r| (r.row, r.found.as_str())).collect();
    assert_eq!(repairs, [(3, "完成时限"), (5, "")]);
}

#[test]
fn bad_rows_are_rejected_and_good_ones_kept() {
    let long = "质".repeat(MAX_CELL_CHARS + 1);
    let table = csv(&format!(
        "1,甲,乙,丙\n2,甲,乙\n3,甲,乙,丙,丁\n,甲,乙,丙\n5,,乙,丙\n1,甲,乙,丙\n7,甲\u{7},乙,丙\n8,甲,{long},丙\n备注：甲,甲,乙,丙\n10,\"甲\"乙\",乙,丙\n11,甲,乙,丙,,\n12,甲,乙\u{fffd},丙\n"
    ));
    assert_eq!(table.rows.iter().map(|r| r.number.as_str()).collect::<Vec<_>>(), ["1", "11"]);
    let expected = [
        (3, "row"),
        (4, "row"),
        (5, "序号"),
        (6, "工作任务"),
        (7, "序号"),
        (8, "工作任务"),
        (9, "主要内容"),
        (10, "序号"),
        (11, "row"),
        (13, "主要内容"),
    ];
    assert_eq!(rejected(&table), expected);
    assert_eq!(table.rows_read, 12);
}

#[test]
fn blanks_and_numbers_are_set_right_and_reported() {
    let table = csv("１．,提 升\u{a0}服务,\u{3000}做好,牵头部门 :市商务局\n");
    assert_eq!(brief(&table), [(2, "1", "提升服务", "做好", "牵头部门 :市商务局")]);
    let repairs: Vec<_> =
        table.repairs.iter().map(|r| (r.row, r.field.as_str(), r.reading.as_str())).collect();
    let expected = [
        (2, "工作任务", "blanks inside Chinese text removed"),
        (2, "主要内容", "unusual blanks read as plain ones"),
        (2, "序号", "1"),
    ];
    assert_eq!(repairs, expected);
}

#[test]
fn what_is_no_table_is_refused() {
    for (text, code) in [
        ("序号,工作任务,主要内容\n1,甲,乙\n", "IMPORT_MISSING_COLUMN"),
        ("name,age\nbob,3\n", "IMPORT_UNKNOWN_FORMAT"),
        ("序号,工作任务,主要内容,责任部门\n", "IMPORT_EMPTY_FILE"),
        ("\n\n \n", "IMPORT_EMPTY_FILE"),
        (",,,\n,,,\n", "IMPORT_EMPTY_FILE"),
        ("{\"plan\": {}}", "IMPORT_UNKNOWN_FORMAT"),
    ] {
        assert_eq!(read_table(text.as_bytes(), "t.csv").unwrap_err().code(), code, "{text}");
    }
    let many = "1,甲,乙,丙\n".repeat(MAX_ROWS + 1);
    let refused = read_table(format!("{HEADER}{many}").as_bytes(), "t.csv").unwrap_err();
    assert_eq!(refused, ImportError::TooManyCells { what: "rows", limit: MAX_ROWS });
}

#[test]
fn gb18030_is_read() {
    let text =
        format!("{HEADER}1,提升农产品质量,推进标准化生产,牵头部门：市农业农村局；参与部门：市商务局。\n");
    let table = read_table(&encoding_rs::GB18030.encode(&text).0, "t.csv").unwrap();
    assert_eq!((table.encoding, table.rows.len(), table.repairs.total()), ("GB18030", 1, 1));
}

#[test]
fn a_workbook_gives_the_same_rows() {
    let rows = [
        cell("A1", "质量提升任务分解表"),
        ["序号", "工作任务", "主要内容", "责任部门"]
            .iter()
            .zip('A'..)
            .map(|(t, c)| cell(&format!("{c}3"), t))
            .collect(),
        format!("<c r=\"A4\"><v>1</v></c>{}{}", cell("B4", "甲"), cell("D4", "市商务局")),
        format!("<c r=\"A5\"><f>A4+1</f><v>2.0</v></c>{}{}", cell("B5", "乙"), cell("C5", "丙\n丁")),
        format!("{}<c r=\"B6\" t=\"e\"><v>#REF!</v></c>", cell("A6", "3")),
        cell("C7", "\u{3000}"),
    ];
    let xml = format!("<row>{}</row>", rows.join("</row><row>"));
    let table = read_table(&workbook(&[("说明", &cell("A1", "无")), ("任务", &xml)], ""), "t.xlsx").unwrap();
    assert_eq!(brief(&table), [(4, "1", "甲", "", "市商务局"), (5, "2", "乙", "丙\n丁", "")]);
    assert_eq!(rejected(&table), [(6, "工作任务")]);
    assert_eq!((table.format, table.rows_read), (Format::TaskTableXlsx, 3));
}

#[test]
fn merged_cells_are_followed() {
    let header: String = ["序号", "工作任务", "主要内容", "责任部门"]
        .iter()
        .zip('A'..)
        .map(|(t, c)| cell(&format!("{c}1"), t))
        .collect();
    let xml = format!(
        "<row>{header}</row><row>{}{}{}{}</row><row>{}{}</row><row>{}{}{}</row>",
        cell("A2", "1"),
        cell("B2", "甲"),
        cell("C2", "子"),
        cell("D2", "牵头部门:市商务局"),
        cell("C3", "丑"),
        cell("D3", "参与部门:团市委"),
        cell("A4", "2"),
        cell("B4", "乙"),
        cell("C4", "寅"),
    );
    let merged = "<mergeCells><mergeCell ref=\"A2:A3\"/><mergeCell ref=\"B2:B3\"/><mergeCell ref=\"D3:D1048576\"/></mergeCells>";
    let table = read_table(&workbook(&[("任务", &xml)], merged), "t.xlsx").unwrap();
    let expected = [
        (2, "1", "甲", "子\n丑", "牵头部门:市商务局\n参与部门:团市委"),
        (4, "2", "乙", "寅", "参与部门:团市委"),
    ];
    assert_eq!(brief(&table), expected);
    assert_eq!(table.repairs.iter().map(|r| r.row).collect::<Vec<_>>(), [3, 4]);
    // Half a task is worse than none.
    let table = read_table(&workbook(&[("任务", &xml.replace('子', "\u{fffd}"))], merged), "t.xlsx").unwrap();
    assert_eq!(rejected(&table), [(2, "主要内容"), (3, "row")]);
}

proptest! {
    #[test]
    fn any_rows_are_read_and_counted(rows in "[0-9,\"质 \n\r\t.]{0,120}") {
        if let Ok(table) = read_table(format!("{HEADER}{rows}").as_bytes(), "t.csv") {
            prop_assert!(table.rows.iter().all(|r| !r.number.is_empty() && !r.title.is_empty()));
            prop_assert_eq!(table.rows.len() + table.rejected.total(), table.rows_read as usize);
        }
    }
}
