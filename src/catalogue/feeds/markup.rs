//! The words of a description that was written in HTML.

use std::borrow::Cow;

use quick_xml::escape::resolve_html5_entity;

/// Elements whose content is for machines.
const UNREAD: [&str; 2] = ["script", "style"];
/// Elements within a line: words before and after them may belong together.
const INLINE: [&str; 12] =
    ["a", "abbr", "b", "em", "font", "i", "small", "span", "strong", "sub", "sup", "u"];
/// No name of an entity is longer.
const LONGEST_ENTITY: usize = 32;

/// The text without tags, comments, scripts and styles, with entities resolved and white space as a
/// person would read it. What holds no markup stays as it is.
pub(super) fn words(html: &str) -> Cow<'_, str> {
    let bytes = html.as_bytes();
    let is_tag = |at: usize| {
        let after = bytes.get(at + 1);
        after.is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'!'))
    };
    if !html.bytes().enumerate().any(|(at, byte)| byte == b'&' || byte == b'<' && is_tag(at)) {
        return Cow::Borrowed(html);
    }
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        let found = &rest[at..];
        let offset = html.len() - found.len();
        rest = if found.starts_with('&') {
            entity(found, &mut text)
        } else if is_tag(offset) {
            tag(found, &mut text)
        } else {
            text.push('<');
            &found[1..]
        };
    }
    text.push_str(rest);
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Resolves the entity at the start of `found`; returns what follows it.
fn entity<'a>(found: &'a str, text: &mut String) -> &'a str {
    let end = found.bytes().take(LONGEST_ENTITY + 2).position(|byte| byte == b';');
    if let Some(end) = end
        && let Some(meaning) = resolved(&found[1..end])
    {
        text.push_str(&meaning);
        return &found[end + 1..];
    }
    text.push('&');
    &found[1..]
}

/// What an entity or a character's number stands for.
pub(super) fn resolved(name: &str) -> Option<Cow<'static, str>> {
    let Some(number) = name.strip_prefix('#') else {
        return resolve_html5_entity(name).map(Cow::Borrowed);
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => number.parse().ok()?,
    };
    let character = char::from_u32(number).filter(|&c| c != '\0')?;
    Some(Cow::Owned(character.to_string()))
}

/// Leaves out the tag or comment at the start of `found`; returns what follows it.
fn tag<'a>(found: &'a str, text: &mut String) -> &'a str {
    let after = |end: Option<usize>, length: usize| end.map_or("", |end| &found[end + length..]);
    if found.starts_with("<!--") {
        return after(found.find("-->"), 3);
    }
    let name: String = found[1..]
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    if UNREAD.contains(&name.as_str()) && !found.starts_with("</") {
        let mut ends = found.match_indices("</").map(|(at, _)| at);
        let closes = |&at: &usize| {
            found
                .as_bytes()
                .get(at + 2..at + 2 + name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        };
        let close = ends.find(closes).unwrap_or(found.len());
        return found[close..].find('>').map_or("", |end| &found[close + end + 1..]);
    }
    if !INLINE.contains(&name.as_str()) {
        text.push(' ');
    }
    after(found.find('>'), 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_person_would_read_remains() {
        for (html, read) in [
            ("A plain  text\nwith two lines", "A plain  text\nwith two lines"),
            ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
            ("<p>Soft <b>lin</b>en.</p><p>Made in\nPorto.</p>", "Soft linen. Made in Porto."),
            ("Wool<br/>Silk<BR>Felt", "Wool Silk Felt"),
            (
                "Caf&eacute; &amp; bar &#8211; &#x201C;open&#x201d;&nbsp;late",
                "Café & bar – “open” late",
            ),
            ("A &unknown; B & C &; D", "A &unknown; B & C &; D"),
            ("x<!-- a > b -->y<style>p{}</style>z<script>if (a</b) {}</SCRIPT >!", "xyz!"),
            ("<ul><li>One</li><li title=\"a\">Two</li></ul>", "One Two"),
            ("cut <a href=\"", "cut"),
            ("<script>never closed", ""),
        ] {
            assert_eq!(words(html), read, "{html:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(html in "[<>/!&;#a-z\\-é ]{0,60}") {
            words(&html);
        }
    }
}
