//! `engine completions` and `engine man`: what a shell and a pager want to know.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::{
    cli::{args::Cli, console::Console, report::Exit},
    diagnostic::suggest,
    error::{CallCode, Error},
};

/// Prints completions.
pub fn completions(console: &Console, shell: Shell) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "engine", &mut text);
    console.terminal.out(&String::from_utf8_lossy(&text));
    Exit::Done
}

/// Prints the manual page of the engine, or of one command.
pub fn man(console: &Console, name: Option<&str>) -> Result<Exit, Error> {
    console.terminal.out(&page(name)?);
    Ok(Exit::Done)
}

fn page(name: Option<&str>) -> Result<String, Error> {
    let mut whole = Cli::command();
    // Fills in the options that all commands have.
    whole.build();
    let command = match name {
        None => whole,
        Some(name) => {
            let found = whole.find_subcommand(name).cloned();
            let names = || suggest(name, whole.get_subcommands().map(Command::get_name));
            found
                .ok_or_else(|| Error::Call {
                    code: CallCode::BadArgument,
                    message: format!("there is no command `{name}`"),
                    hint: names(),
                })?
                .name(format!("engine-{name}"))
        }
    };
    let mut text = Vec::new();
    let render = clap_mangen::Man::new(command).render(&mut text);
    render.map_err(|source| Error::Io { what: "the page cannot be made".to_owned(), source })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page() {
        let whole = Cli::command();
        for command in whole.get_subcommands() {
            let text = page(Some(command.get_name())).unwrap();
            assert!(text.contains("SYNOPSIS"), "{}", command.get_name());
        }
        assert!(page(None).unwrap().contains("engine"));
        assert!(page(Some("rnu")).unwrap_err().to_string().contains("rnu"));
    }
}
