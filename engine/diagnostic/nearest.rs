//! "Did you mean": the valid name nearest to one that is not.

/// Longest name that is compared; a longer one is not a slip of the keyboard.
const LONGEST: usize = 64;
/// So many names are listed when none is near.
const FEW: usize = 12;

/// The candidate nearest to `name`, if one is near enough to be meant: at most one slip in three
/// characters, upper and lower case being the same, and two swapped neighbours being one slip.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    let (distance, best) = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 4 * LONGEST)
        .map(|candidate| (distance(&wanted, &folded(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= wanted.len().max(3) / 3).then_some(best)
}

/// The text of a hint: the name that was probably meant, or all of them if they are few.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(best) = nearest(name, candidates.iter().copied()) {
        return Some(format!("did you mean `{best}`?"));
    }
    match candidates.as_slice() {
        [] => None,
        [only] => Some(format!("the only one known is `{only}`")),
        few if few.len() <= FEW => Some(format!("known are: {}", few.join(", "))),
        _ => None,
    }
}

fn folded(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// Edit distance with transposition of neighbours (optimal string alignment), three rows of it.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, &from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        let mut left = i + 1;
        let mut behind = None;
        for (j, (&to, cells)) in b.iter().zip(above.windows(2)).enumerate() {
            let &[diagonal, up] = cells else { continue };
            let mut cell = (diagonal + usize::from(from != to)).min(up + 1).min(left + 1);
            if previous == Some(to)
                && behind == Some(from)
                && let Some(swapped) = j.checked_sub(1).and_then(|j| before.get(j))
            {
                cell = cell.min(swapped + 1);
            }
            row.push(cell);
            left = cell;
            behind = Some(to);
        }
        before = std::mem::replace(&mut above, row);
        previous = Some(from);
    }
    above.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("serach", "search", 1),
            ("ab", "ba", 1),
            ("abcd", "acbd", 1),
            ("name", "name", 0),
        ] {
            assert_eq!(distance(&folded(a), &folded(b)), expected, "{a} {b}");
            assert_eq!(distance(&folded(b), &folded(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn near_names_are_meant_and_far_ones_are_not() {
        let names = ["search", "steps", "base_url", "oauth_scopes"];
        for (name, expected) in [
            ("serach", Some("search")),
            ("step", Some("steps")),
            ("BASE_URL", Some("base_url")),
            ("baseUrl", Some("base_url")),
            ("oauth_scope", Some("oauth_scopes")),
            ("completely", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, names), expected, "{name}");
        }
    }

    #[test]
    fn a_hint_names_the_nearest_or_lists_the_few() {
        assert_eq!(suggest("bodi", ["body", "form"]).as_deref(), Some("did you mean `body`?"));
        assert_eq!(suggest("zzz", ["body", "form"]).as_deref(), Some("known are: body, form"));
        assert_eq!(suggest("zzz", []), None);
        assert_eq!(suggest("zzz", vec!["many"; 40]), None);
    }
}
