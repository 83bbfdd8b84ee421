//! The built-in pack: it loads, its own tests pass, and the linter refuses what it must.

use std::fs;

use sv0_query::sv0_graph::Schema;
use sv0_rules::{RulePack, fixture};
use tempfile::TempDir;

#[test]
fn every_rule_passes_its_own_tests() {
    let schema = Schema::canonical();
    let pack = RulePack::built_in(&schema).unwrap_or_else(|e| panic!("{e}"));
    assert!(pack.rules.len() >= 16);
    let mut wrong = Vec::new();
    for r in &pack.rules {
        for (test, why) in fixture::run_tests(r, &schema) {
            wrong.push(format!("{}: {test}: {why}", r.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lint_says_file_line_and_reason() {
    let dir = TempDir::new().unwrap();
    let rule = dir.path().join("bad-rule");
    fs::create_dir(&rule).unwrap();
    let text = "id = \"bad-rule\"\ntitle = \"t\"\nversion = 1\nseverity = \"high\"\ncategory = \"ownership-gap\"\nsubject = \"x\"\nrationale = \"r\"\nquery = '''\nMATCH (i:identity)\n-[:RUNS_AS]->(a:automation) RETURN i, i.staus AS s\n'''\n";
    fs::write(rule.join("rule.toml"), text).unwrap();
    let e = RulePack::from_dir(dir.path(), &Schema::canonical()).unwrap_err().to_string();
    assert!(e.contains("rule.toml:10: SV-Q300"), "{e}");
    assert!(e.contains("rule.toml:10: SV-Q200: unknown property `staus`"), "{e}");
    fs::write(rule.join("rule.toml"), text.replace(", i.staus AS s", "").replace("-[:RUNS_AS]->", "<-[:RUNS_AS]-"))
        .unwrap();
    let e = RulePack::from_dir(dir.path(), &Schema::canonical()).unwrap_err().to_string();
    assert!(e.contains("doesn't return column `x`"), "{e}");
    let good = text
        .replace(", i.staus AS s", "")
        .replace("-[:RUNS_AS]->", "<-[:RUNS_AS]-")
        .replace("subject = \"x\"", "subject = \"i\"");
    fs::write(rule.join("rule.toml"), good).unwrap();
    let e = RulePack::from_dir(dir.path(), &Schema::canonical()).unwrap_err().to_string();
    assert!(e.contains("a test that finds something and one that finds nothing"), "{e}");
    fs::write(rule.join("rule.toml"), "id = \"bad-rule\"\nseverty = 1\n").unwrap();
    let e = RulePack::from_dir(dir.path(), &Schema::canonical()).unwrap_err().to_string();
    assert!(e.contains("rule.toml:2: "), "{e}");
}
