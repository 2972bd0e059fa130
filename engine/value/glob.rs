//! Names and paths by pattern.

/// Whether a name fits a pattern, in which `*` stands for any characters.
pub fn fits(glob: &str, name: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    true
}

/// The same for a path: `*` ends at the next `/`, and `**` as a segment of its own stands for any
/// number of segments.
pub fn path_fits(glob: &str, path: &str) -> bool {
    let (mut globs, mut segments) = (glob.split('/'), path.split('/'));
    // Behind the last `**`, and the segments that it has not taken.
    let mut again = None;
    loop {
        let before = segments.clone();
        match (globs.next(), segments.next()) {
            (None, None) => return true,
            (Some("**"), _) => {
                segments = before;
                again = Some((globs.clone(), segments.clone()));
            }
            (Some(glob), Some(segment)) if fits(glob, segment) => {}
            _ => {
                let Some((behind, left)) = &mut again else { return false };
                if left.next().is_none() {
                    return false;
                }
                (globs, segments) = (behind.clone(), left.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (glob, name, expected) in [
            ("*", "x", true),
            ("list-*", "list-a", true),
            ("list-*", "post", false),
            ("*-a*b", "x-a-b", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn paths_segment_by_segment() {
        for (glob, path, expected) in [
            ("/teams/*/channels/*/messages", "/teams/a/channels/19%3Ab/messages", true),
            ("/teams/*/channels", "/teams/a/b/channels", false),
            ("/x", "/x/", false),
            ("/*", "/x", true),
            ("/x/id-*", "/x/id-7", true),
            ("/x/id-*", "/x/id-7/y", false),
            ("/x/**", "/x/a/b", true),
            ("/x/**", "/x", true),
            ("/x/**", "/y/a", false),
            ("/**/messages", "/a/b/messages", true),
            ("/**/a/**/b", "/a/x/a/b/c", false),
            ("/**/a/**/b", "/a/x/a/c/b", true),
        ] {
            assert_eq!(path_fits(glob, path), expected, "{glob} {path}");
        }
    }
}
