//! `--body @file`: a large file is read while it is sent.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use crate::{
    cli::input,
    error::Error,
    model::http::{Body, Frames, Stream, Unreadable},
};

/// Smaller bodies are held: they can be signed, and completed by a blueprint.
const HELD: u64 = 1 << 20;
/// Read at once.
const PIECE: u64 = 64 * 1024;

/// A body: a text, `@file`, or `-`. What is read from elsewhere stays as it is, byte by byte.
pub fn body(text: &str) -> Result<Body, Error> {
    let path = text.strip_prefix('@').filter(|path| *path != "-").map(Path::new);
    if let Some(path) = path
        && let Ok(found) = path.metadata()
        && found.is_file()
        && found.len() > HELD
    {
        return Ok(Body::Stream(Arc::new(Upload { path: path.to_owned() })));
    }
    Ok(Body::Bytes(Bytes::from(input::body(text)?)))
}

/// A file, read anew for each try.
struct Upload {
    path: PathBuf,
}

impl Stream for Upload {
    fn open(&self) -> io::Result<Frames> {
        let file = File::open(&self.path)?;
        let left = file.metadata()?.len();
        Ok(Pieces { file, left }.boxed())
    }
}

/// What is left of a file. It is read without leaving the thread: this process has nothing else to
/// do.
struct Pieces {
    file: File,
    left: u64,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let length = self.left.min(PIECE);
        if length == 0 {
            return Poll::Ready(None);
        }
        let mut piece = BytesMut::zeroed(usize::try_from(length).unwrap_or_default());
        Poll::Ready(Some(match self.file.read_exact(&mut piece) {
            Ok(()) => {
                self.left -= length;
                Ok(Frame::data(piece.freeze()))
            }
            Err(error) => Err(io::Error::other(Unreadable(error.to_string()))),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
