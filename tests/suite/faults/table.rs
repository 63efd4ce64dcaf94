//! docs/RELIABILITY.md names a test for every case, and each of them exists.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// The cases that must be in the table.
const CASES: RangeInclusive<u32> = 1..=99;

/// The names of all tests: in the sources, functions right after `#[test]`, other attributes between; in the notebook's tests, what
/// follows `def test_`.
fn tests() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let after = text.split("#[test]\n").skip(1).filter_map(|after| {
                    let line = after.lines().map(str::trim_start).find(|line| !line.starts_with("#["))?;
                    line.strip_prefix("fn ")?.split('(').next()
                });
                found.extend(after.map(String::from));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    ["src", "tests/suite", "scripts/petal-kernel/src"].iter().for_each(|folder| walk(&root.join(folder), &mut found));
    for entry in fs::read_dir(root.join("tests/notebook")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "py") {
            let text = fs::read_to_string(&path).unwrap();
            let named = text.lines().filter_map(|line| line.strip_prefix("def test_")?.split('(').next());
            found.extend(named.map(String::from));
        }
    }
    found
}

/// The table's rows: `| F01 | case | what happens | `test`, `test` |`.
fn rows() -> BTreeMap<u32, Vec<String>> {
    let text = include_str!("../../../docs/RELIABILITY.md");
    let row = |line: &str| {
        let number = line.strip_prefix("| F")?.get(..2)?.parse().ok()?;
        let last = line.trim_end_matches(['|', ' ']).rsplit(" | ").next()?;
        Some((number, last.split('`').skip(1).step_by(2).map(String::from).collect()))
    };
    let rows: Vec<(u32, Vec<String>)> = text.lines().filter_map(row).collect();
    let count = rows.len();
    let rows = BTreeMap::from_iter(rows);
    assert_eq!(rows.len(), count, "a case has two rows");
    rows
}

#[test]
fn every_case_has_a_row_and_its_tests_exist() {
    let (rows, tests) = (rows(), tests());
    for case in CASES {
        let named = rows.get(&case).unwrap_or_else(|| panic!("F{case:02} is not in docs/RELIABILITY.md"));
        assert!(!named.is_empty(), "F{case:02} names no test");
    }
    for (case, named) in &rows {
        for name in named {
            assert!(name.starts_with(&format!("f{case:02}_")), "F{case:02} names {name}");
            assert!(tests.contains(name), "F{case:02} names {name}, which is no test");
        }
    }
    // And no test is left out of the table.
    let listed: Vec<&String> = rows.values().flatten().collect();
    for test in tests {
        let is_case = test.strip_prefix('f').and_then(|rest| rest.get(..3)).is_some_and(|number| {
            number.ends_with('_') && number[..2].parse().is_ok_and(|number| CASES.contains(&number))
        });
        assert!(!is_case || listed.contains(&&test), "{test} is not in docs/RELIABILITY.md");
    }
}
