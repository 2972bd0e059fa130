//! `engine test`: the tests that stand in the files.

use std::path::PathBuf;

use crate::{
    cli::{
        console::Console,
        report::Exit,
        terminal::{ERROR, FAINT, GOOD, clean, styled},
    },
    engine::Engine,
    error::{CallCode, Error},
    view::{TestCase, TestFile, TestReport},
};

/// Runs them, and prints what failed.
pub fn test(console: &Console, engine: &Engine, paths: &[PathBuf]) -> Result<Exit, Error> {
    let report = engine.test(paths)?;
    if report.passed + report.failed == 0 && !paths.is_empty() {
        let gone = paths.iter().find(|path| !console.here.join(path).exists());
        let message = match gone {
            Some(path) => format!("there is no file `{}`", path.display()),
            None => "there are no tests in these files".to_owned(),
        };
        let hint = "a blueprint or an action has them under `tests:`";
        return Err(Error::call(CallCode::NoTests, message, hint));
    }
    let failed = report.failed > 0;
    if console.for_programs() {
        console.show(&report);
        if failed {
            console.terminal.err(&summary(&report));
        }
    } else {
        console.terminal.out(&summary(&report));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// What failed, and how many there were.
fn summary(report: &TestReport) -> String {
    let mut lines = Vec::new();
    for TestFile { file, cases } in &report.files {
        for TestCase { name, line, problems, diff, .. } in cases.iter().filter(|case| !case.passed)
        {
            lines.push(format!("{} {}", styled(ERROR, "failed"), clean(name)));
            lines.push(styled(FAINT, &clean(&format!("  {file}:{line}"))));
            let said = problems.iter().chain(diff).flat_map(|text| text.lines());
            lines.extend(said.map(|line| format!("  {}", clean(line))));
            lines.push(String::new());
        }
    }
    let style = if report.failed == 0 { GOOD } else { ERROR };
    lines.push(styled(style, &format!("{} passed, {} failed", report.passed, report.failed)));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::CaseReport;

    #[test]
    fn only_failures_are_printed() {
        let case = |name: &str, problems: &[&str]| CaseReport {
            name: name.into(),
            line: 7,
            problems: problems.iter().map(|text| (*text).to_owned()).collect(),
            diff: (!problems.is_empty()).then(|| "-a\n+b".to_owned()),
        };
        let cases = [case("good", &[]), case("bad", &["the output differs"])];
        let cases = cases.into_iter().map(TestCase::from).collect();
        let report: TestReport =
            [TestFile { file: "actions/a/b.yaml".into(), cases }].into_iter().collect();
        let text = anstream::adapter::strip_str(&summary(&report)).to_string();
        assert_eq!(
            text,
            "failed bad\n  actions/a/b.yaml:7\n  the output differs\n  -a\n  +b\n\n1 passed, 1 failed\n"
        );
    }
}
