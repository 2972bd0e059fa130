//! `engine secrets`: the keys that seal the store.

use crate::{
    cli::{
        args::Secrets,
        console::Console,
        report::{Exit, counted},
        signals,
    },
    engine::{Engine, KeyTask},
    error::Error,
    view::Keys,
};

const NEW_KEY_FIRST: &str =
    "nothing to do: put the new key in front of the old one (`NEW,OLD`) and run this again\n";
const CAN_FORGET: &str = "old keys can go once every process of this store runs with the new one: \
                          `engine secrets forget`\n";
const NOT_OUR_FILE: &str = "the keys do not come from a key file; remove those that have sealed \
                            nothing where they come from\n";

/// Prints the keys after a task.
pub fn secrets(console: &Console, engine: &Engine, command: Secrets) -> Result<Exit, Error> {
    let keys = match command {
        Secrets::Status => signals::block_on(engine.keys(KeyTask::Status))?,
        Secrets::Rotate => {
            let keys = signals::block_on(engine.keys(KeyTask::Rotate))?;
            console.say(&rotated(&keys));
            keys
        }
        Secrets::Forget => {
            let keys = signals::block_on(engine.keys(KeyTask::Forget))?;
            console.say(&forgotten(&keys));
            keys
        }
    };
    console.show(&keys);
    Ok(Exit::Done)
}

fn rotated(keys: &Keys) -> String {
    let values = counted(keys.resealed, "value");
    let mut text = match (&keys.file, keys.made) {
        (Some(file), true) => {
            format!("a new key stands first in `{}`; {values} sealed with it\n", file.display())
        }
        (Some(_), false) => {
            format!("the rotation that was begun is finished; {values} sealed again\n")
        }
        (None, _) if keys.resealed == 0 => NEW_KEY_FIRST.to_owned(),
        (None, _) => format!("{values} sealed with the first key\n"),
    };
    if keys.can_forget() {
        text.push_str(CAN_FORGET);
    }
    text
}

fn forgotten(keys: &Keys) -> String {
    match (&keys.file, keys.removed) {
        (Some(file), 0) => format!("`{}` has no key that can be removed\n", file.display()),
        (Some(file), n) => format!("{} removed from `{}`\n", counted(n, "key"), file.display()),
        (None, _) => NOT_OUR_FILE.to_owned(),
    }
}
