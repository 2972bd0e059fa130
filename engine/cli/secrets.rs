//! `engine secrets`: the keys that seal the store.

use crate::{
    cli::{args::Secrets, context::Cx, report::Exit, signals},
    engine::{Engine, KeyTask},
    error::Error,
    view::Keys,
};

/// Does what was asked.
pub fn secrets(cx: &Cx, engine: &Engine, command: Secrets) -> Result<Exit, Error> {
    let keys = match command {
        Secrets::Status => signals::wait(engine.keys(KeyTask::Status))?,
        Secrets::Rotate => {
            let keys = signals::wait(engine.keys(KeyTask::Rotate))?;
            cx.say(&rotated(&keys));
            keys
        }
        Secrets::Forget => {
            let keys = signals::wait(engine.keys(KeyTask::Forget))?;
            cx.say(&forgotten(&keys));
            keys
        }
    };
    cx.show(&keys);
    Ok(Exit::Done)
}

fn rotated(keys: &Keys) -> String {
    let sealed = keys.resealed;
    let mut text = match (&keys.file, keys.made) {
        (Some(file), true) => format!("a new key stands first in `{}`; {sealed} value(s) sealed with it\n", file.display()),
        (Some(_), false) => format!("the rotation that was begun is finished; {sealed} value(s) sealed again\n"),
        (None, _) if sealed == 0 => "nothing to do: put the new key in front of the old one (`NEW,OLD`) and call this again\n".to_owned(),
        (None, _) => format!("{sealed} value(s) sealed with the first key\n"),
    };
    if keys.can_forget() {
        text.push_str("old keys can go once every process of this store runs with the new one: `engine secrets forget`\n");
    }
    text
}

fn forgotten(keys: &Keys) -> String {
    match (&keys.file, keys.removed) {
        (Some(file), 0) => format!("`{}` holds no key that could go\n", file.display()),
        (Some(file), n) => format!("{n} key(s) removed from `{}`\n", file.display()),
        (None, _) => "the keys are not in a file of ours; take those that have sealed nothing out of their source\n".to_owned(),
    }
}
