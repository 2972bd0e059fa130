//! `engine secrets`: the keys that seal the store.

use serde_json::{Value, json};

use crate::{
    cli::{args::Secrets, context::Cx, report::Exit, signals},
    engine::Engine,
    error::Error,
    store::{self, Rotation, rotation},
};

/// Does what was asked.
pub fn secrets(cx: &Cx, engine: &Engine, command: Secrets) -> Result<Exit, Error> {
    let store = engine.store()?;
    let rotation = match command {
        Secrets::Status => signals::wait(keys(rotation::state(store)))?,
        Secrets::Rotate => {
            let rotation = signals::wait(keys(rotation::rotate(store)))?;
            tell_rotated(cx, &rotation);
            rotation
        }
        Secrets::Forget => {
            let rotation = signals::wait(keys(rotation::forget(store)))?;
            match (&rotation.file, rotation.removed) {
                (Some(file), 0) => cx.say(&format!("`{}` holds no key that could go\n", file.display())),
                (Some(file), n) => cx.say(&format!("{n} key(s) removed from `{}`\n", file.display())),
                (None, _) => cx.say("the keys are not in a file of ours; take those that have sealed nothing out of their source\n"),
            }
            rotation
        }
    };
    cx.print(&rows(&rotation));
    Ok(Exit::Done)
}

async fn keys(
    work: impl Future<Output = Result<Rotation, store::Error>>,
) -> Result<Rotation, Error> {
    Ok(work.await?)
}

fn tell_rotated(cx: &Cx, rotation: &Rotation) {
    let sealed = rotation.resealed;
    match (&rotation.file, rotation.made) {
        (Some(file), true) => cx.say(&format!("a new key stands first in `{}`; {sealed} value(s) sealed with it\n", file.display())),
        (Some(_), false) => cx.say(&format!("the rotation that was begun is finished; {sealed} value(s) sealed again\n")),
        (None, _) if sealed == 0 => cx.say("nothing to do: put the new key in front of the old one (`NEW,OLD`) and call this again\n"),
        (None, _) => cx.say(&format!("{sealed} value(s) sealed with the first key\n")),
    }
    if rotation.keys.iter().any(|key| key.present && !key.current && key.values == 0) {
        cx.say("old keys can go once every process of this store runs with the new one: `engine secrets forget`\n");
    }
}

fn rows(rotation: &Rotation) -> Value {
    rotation
        .keys
        .iter()
        .map(|key| {
            json!({
                "key": key.id,
                "current": key.current,
                "values": key.values,
                "present": key.present,
            })
        })
        .collect()
}
