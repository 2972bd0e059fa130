//! `engine test`: the tests that stand in the files.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{
    cli::{
        context::Cx,
        report::Exit,
        terminal::{ERROR, FAINT, GOOD, clean, styled},
    },
    engine::Engine,
    error::Error,
    suite::{CaseReport, FileReport, TestReport},
};

/// Runs them, and prints what failed.
pub fn test(cx: &Cx, engine: &Engine, paths: &[PathBuf]) -> Result<Exit, Error> {
    let report = engine.test(paths);
    let all = || report.files.iter().flat_map(|file| &file.cases);
    let failed = all().filter(|case| !case.problems.is_empty()).count();
    let passed = all().count() - failed;
    if passed + failed == 0 && !paths.is_empty() {
        let gone = paths.iter().find(|path| !cx.here.join(path).exists());
        let message = match gone {
            Some(path) => format!("there is no file `{}`", path.display()),
            None => "there are no tests in these files".to_owned(),
        };
        let hint = "a blueprint or an action has them under `tests:`".to_owned();
        return Err(Error::Call { code: "call.no-tests", message, hint: Some(hint) });
    }
    if cx.for_programs() {
        cx.print(&json!({"passed": passed, "failed": failed, "files": files(&report)}));
    }
    let text = text(&report, (passed, failed));
    match (cx.for_programs(), failed) {
        (false, _) => cx.terminal.out(&text),
        (true, 0) => {}
        (true, _) => cx.terminal.err(&text),
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

fn files(report: &TestReport) -> Value {
    let case = |case: &CaseReport| {
        let CaseReport { name, line, problems, diff } = case;
        let passed = problems.is_empty();
        json!({"name": name, "line": line, "passed": passed, "problems": problems, "diff": diff})
    };
    let file = |FileReport { file, cases }: &FileReport| json!({"file": file, "cases": cases.iter().map(case).collect::<Value>()});
    report.files.iter().map(file).collect()
}

fn text(report: &TestReport, (passed, failed): (usize, usize)) -> String {
    let mut lines = Vec::new();
    for FileReport { file, cases } in &report.files {
        for CaseReport { name, line, problems, diff } in cases {
            if problems.is_empty() {
                continue;
            }
            lines.push(format!("{} {}", styled(ERROR, "failed"), clean(name)));
            lines.push(styled(FAINT, &clean(&format!("  {file}:{line}"))));
            let told = problems.iter().chain(diff).flat_map(|text| text.lines());
            lines.extend(told.map(|line| format!("  {}", clean(line))));
            lines.push(String::new());
        }
    }
    let style = if failed == 0 { GOOD } else { ERROR };
    lines.push(styled(style, &format!("{passed} passed, {failed} failed")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_are_told() {
        let case = |name: &str, problems: &[&str]| CaseReport {
            name: name.into(),
            line: 7,
            problems: problems.iter().map(|text| (*text).to_owned()).collect(),
            diff: (!problems.is_empty()).then(|| "-a\n+b".to_owned()),
        };
        let report = TestReport {
            files: vec![FileReport {
                file: "actions/a/b.yaml".into(),
                cases: vec![case("good", &[]), case("bad", &["the output differs"])],
            }],
        };
        let text = anstream::adapter::strip_str(&text(&report, (1, 1))).to_string();
        assert_eq!(
            text,
            "failed bad\n  actions/a/b.yaml:7\n  the output differs\n  -a\n  +b\n\n1 passed, 1 failed\n"
        );
        assert_eq!(files(&report)[0]["cases"][0]["passed"], true);
    }
}
