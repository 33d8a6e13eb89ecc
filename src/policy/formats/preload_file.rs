//! `/etc/ld.so.preload`: its bytes as the loader reads them, with our entry added or taken out.
//!
//! glibc (`elf/rtld.c`) takes what stands between blanks, tabs, line feeds and colons for a path; a
//! carriage return is part of one. `#` begins a comment, at any place, up to the end of the line. A
//! NUL character hides what follows, but not a last path without a separator behind it. From the
//! second comment on, glibc searches too short a part of the file for comments, and so takes words of later
//! comments for paths. [`entries`] returns what glibc reads, with this bug. An entry that is added or removed here
//! is there, or gone, for a glibc without the bug as well. (musl does not read this file.)

use crate::process::file_name;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// The file that glibc's loader reads in every process (ld.so(8)).
pub const PATH: &str = "/etc/ld.so.preload";

/// The file name of the preload object. By it entries of ours are known, in whatever folder.
pub const OBJECT: &str = "libopentelemetry_injector.so";

/// Why an object cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreloadEntryError {
    /// The path does not begin with `/`.
    NotAbsolute,
    /// The loader would split the path here, or take the rest for a comment.
    Splits(u8),
    /// The loader puts something else in place of a `$` that does not begin `$LIB`.
    Token,
    /// The file name is not [`OBJECT`], by which the entry is found again.
    OtherName,
    /// The file contains a NUL character, behind which the loader reads nothing.
    Hidden,
}

impl fmt::Display for PreloadEntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => f.write_str("the path has to begin with `/`"),
            Self::Splits(byte) => {
                let byte = byte.escape_ascii();
                write!(f, "{PATH} takes no path with blanks, `:` or `#` (`{byte}`)")
            }
            Self::Token => f.write_str("of the loader's tokens only $LIB can stand in the path"),
            Self::OtherName => write!(f, "the file name has to be {OBJECT}"),
            Self::Hidden => write!(
                f,
                "{PATH} contains a NUL character, which hides what follows"
            ),
        }
    }
}

impl core::error::Error for PreloadEntryError {}

/// The paths that the loader reads from a file, in its order.
pub fn entries(file: &[u8]) -> Vec<&[u8]> {
    let ranges = read(file, Comments::AsGlibc);
    ranges.filter_map(|range| file.get(range)).collect()
}

/// Whether an entry names the preload object: in any folder, also where a carriage return or a
/// token of the loader keeps it from being found.
pub fn is_ours(entry: &[u8]) -> bool {
    let entry = entry.strip_suffix(b"\r").unwrap_or(entry);
    file_name(entry) == OBJECT.as_bytes()
}

/// The file with `object` as its only entry of ours: in place of the first one, else in a line of
/// its own at the end. Everything else stays byte by byte; the same bytes where it is there already.
///
/// # Errors
/// Why the loader would not read the entry.
pub fn add(file: &[u8], object: &[u8]) -> Result<Vec<u8>, PreloadEntryError> {
    check(object)?;
    // A line behind the last path would let a NUL character hide that path, too.
    if file.contains(&0) {
        return Err(PreloadEntryError::Hidden);
    }
    let added = match replace(file, object) {
        Some(replaced) if is_alone(&replaced, object) && foreign(&replaced) == foreign(file) => {
            replaced
        }
        // A longer file hides no more than before from the search for comments.
        _ => append(&remove(file), object),
    };
    if is_alone(&added, object) {
        Ok(added)
    } else {
        Err(PreloadEntryError::Hidden)
    }
}

/// The file with `object` in place of the first entry of ours and without further ones.
fn replace(file: &[u8], object: &[u8]) -> Option<Vec<u8>> {
    let mut file = file.to_vec();
    loop {
        match ours(&file).as_slice() {
            [] => return None,
            [only] => {
                let (before, after) = around(&file, only);
                return Some([before, object, after].concat());
            }
            [.., last] => {
                let cut = with_separator(&file, last);
                file.drain(cut);
            }
        }
    }
}

/// Without a line feed at the end where there was none: `remove` then takes the same bytes out.
fn append(file: &[u8], object: &[u8]) -> Vec<u8> {
    match file.last() {
        None | Some(b'\n') => [file, object, b"\n"].concat(),
        Some(_) => [file, b"\n", object].concat(),
    }
}

/// The file without entries of ours. A line that held nothing else goes as a whole; where the
/// shorter file would make words of comments appear as paths, blanks take the entry's place.
pub fn remove(file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    // One by one: what is comment to glibc depends on the length.
    while let Some(first) = ours(&file).first() {
        let mut shorter = file.clone();
        shorter.drain(with_separator(&file, first));
        if foreign(&shorter) == foreign(&file) {
            file = shorter;
        } else {
            let entry = file.iter_mut().skip(first.start).take(first.len());
            entry.for_each(|byte| *byte = b' ');
        }
    }
    file
}

/// The entries of others.
fn foreign(file: &[u8]) -> Vec<&[u8]> {
    let mut entries = entries(file);
    entries.retain(|entry| !is_ours(entry));
    entries
}

/// Whether an object's path can be an entry.
///
/// # Errors
/// Why it cannot.
pub fn check(object: &[u8]) -> Result<(), PreloadEntryError> {
    let splits = |byte: &&u8| is_separator(**byte) || byte.is_ascii_control() || **byte == b'#';
    if let Some(byte) = object.iter().find(splits) {
        return Err(PreloadEntryError::Splits(*byte));
    }
    if object.first() != Some(&b'/') {
        return Err(PreloadEntryError::NotAbsolute);
    }
    let mut tokens = object.split(|byte| *byte == b'$').skip(1);
    let is_lib = |token: &[u8]| match token.strip_prefix(b"LIB") {
        Some(rest) => !rest.first().is_some_and(|byte| is_name(*byte)),
        None => token.starts_with(b"{LIB}"),
    };
    if !tokens.all(is_lib) {
        return Err(PreloadEntryError::Token);
    }
    if is_ours(object) {
        Ok(())
    } else {
        Err(PreloadEntryError::OtherName)
    }
}

/// The path with something in place of the loader's token `$LIB` or `${LIB}`.
pub fn with_lib(object: &[u8], lib: &[u8]) -> Vec<u8> {
    let mut parts = object.split(|byte| *byte == b'$');
    let mut path = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let rest = part.strip_prefix(b"LIB");
        let rest = rest.or_else(|| part.strip_prefix(b"{LIB}"));
        path.extend_from_slice(lib);
        path.extend_from_slice(rest.unwrap_or(part));
    }
    path
}

/// Which comments are none to the reader.
#[derive(Clone, Copy)]
enum Comments {
    /// As glibc looks for them.
    AsGlibc,
    /// As they are meant.
    AsMeant,
}

const READINGS: [Comments; 2] = [Comments::AsGlibc, Comments::AsMeant];

/// The places of all entries of ours, by either reading.
fn ours(file: &[u8]) -> Vec<Range<usize>> {
    let all = READINGS
        .into_iter()
        .flat_map(|comments| read(file, comments));
    let mut ours: Vec<_> = all
        .filter(|range| file.get(range.clone()).is_some_and(is_ours))
        .collect();
    ours.sort_by_key(|range| (range.start, range.end));
    ours.dedup();
    ours
}

/// Whether the object is the only entry of ours by both readings. (A part of a comment that glibc takes
/// for a path may have our name, too.)
fn is_alone(file: &[u8], object: &[u8]) -> bool {
    READINGS.into_iter().all(|comments| {
        let entries = read(file, comments).filter_map(|range| file.get(range));
        entries.filter(|entry| is_ours(entry)).eq([object])
    })
}

/// The places of the entries.
fn read(file: &[u8], comments: Comments) -> impl Iterator<Item = Range<usize>> {
    let text = without_comments(file, comments);
    let last = text.iter().rposition(|byte| is_separator(*byte));
    // The last path without a separator behind it is read by itself.
    let (body, tail) = match last {
        Some(last) => (0..last, last + 1..text.len()),
        None => (0..0, 0..text.len()),
    };
    let mut ranges = Vec::new();
    let mut start = body.start;
    let body = until_nul(&text, body);
    for end in body.start..=body.end {
        if end == body.end || text.get(end).is_none_or(|byte| is_separator(*byte)) {
            ranges.push(start..end);
            start = end + 1;
        }
    }
    ranges.push(until_nul(&text, tail));
    ranges.into_iter().filter(|range| !range.is_empty())
}

fn until_nul(text: &[u8], range: Range<usize>) -> Range<usize> {
    let bytes = text.get(range.clone()).unwrap_or_default();
    let length = bytes.iter().position(|byte| *byte == 0);
    range.start..length.map_or(range.end, |length| range.start + length)
}

/// The file with blanks for comments.
fn without_comments(file: &[u8], comments: Comments) -> Vec<u8> {
    let mut text = file.to_vec();
    // How many of the file's first bytes are searched; for the reader that makes glibc's mistake
    // it loses what lies before a comment's end, though the search begins at the start again.
    let mut rest = text.len();
    while let Some(start) = text.iter().take(rest).position(|byte| *byte == b'#') {
        let searched = match comments {
            Comments::AsGlibc => rest - start,
            Comments::AsMeant => text.len() - start,
        };
        let comment = text.iter_mut().skip(start).take(searched);
        let mut length = 0;
        for byte in comment.take_while(|byte| **byte != b'\n') {
            *byte = b' ';
            length += 1;
        }
        if let Comments::AsGlibc = comments {
            rest = searched - length;
        }
    }
    text
}

/// An entry's place with what has to go with it: its line where it has one of its own, else the
/// separator behind or before it.
fn with_separator(file: &[u8], entry: &Range<usize>) -> Range<usize> {
    let (before, after) = around(file, entry);
    let line_start = before.iter().rposition(|byte| *byte == b'\n');
    let line_start = line_start.map_or(0, |feed| feed + 1);
    let line_end = after.iter().position(|byte| *byte == b'\n');
    let line_rest = after.get(..line_end.unwrap_or(after.len()));
    let nothing = |bytes: Option<&[u8]>| bytes.is_some_and(|bytes| bytes.iter().all(is_blank));
    if nothing(before.get(line_start..)) && nothing(line_rest) {
        return match line_end {
            Some(feed) => line_start..entry.end + feed + 1,
            None => line_start.saturating_sub(1)..file.len(),
        };
    }
    if after.first().is_some_and(is_blank) {
        entry.start..entry.end + 1
    } else if before.last().is_some_and(is_blank) {
        entry.start - 1..entry.end
    } else {
        entry.clone()
    }
}

fn around<'f>(file: &'f [u8], entry: &Range<usize>) -> (&'f [u8], &'f [u8]) {
    let before = file.get(..entry.start).unwrap_or_default();
    (before, file.get(entry.end..).unwrap_or_default())
}

fn is_separator(byte: u8) -> bool {
    byte == b'\n' || is_blank(&byte)
}

/// A separator inside of a line.
fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b':')
}

/// What goes on a token's name to the loader (`_dl_dst_count`).
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String, vec};

    const OURS: &str = "/opt/otel/libopentelemetry_injector.so";

    fn added(file: &str) -> String {
        String::from_utf8(add(file.as_bytes(), OURS.as_bytes()).unwrap()).unwrap()
    }

    fn removed(file: &str) -> String {
        String::from_utf8(remove(file.as_bytes())).unwrap()
    }

    fn read_as_text(file: &str) -> Vec<String> {
        let entries = entries(file.as_bytes()).into_iter();
        let entries = entries.map(|entry| String::from_utf8(entry.to_vec()).unwrap());
        entries.collect()
    }

    #[test]
    fn paths_stand_between_blanks_tabs_line_feeds_and_colons() {
        let file = "/a.so /b.so\t/c.so:/d.so\n\n::/e.so\r\n/f.so";
        let paths = ["/a.so", "/b.so", "/c.so", "/d.so", "/e.so\r", "/f.so"];
        assert_eq!(read_as_text(file), paths);
        assert_eq!(read_as_text(""), [""; 0]);
        assert_eq!(read_as_text("\n"), [""; 0]);
        assert_eq!(read_as_text("/a.so"), ["/a.so"]);
    }

    #[test]
    fn a_comment_goes_to_the_end_of_the_line_wherever_it_begins() {
        assert_eq!(read_as_text("/a.so#x y\n/b.so"), ["/a.so", "/b.so"]);
        assert_eq!(read_as_text("/a.so # x\n"), ["/a.so"]);
        assert_eq!(read_as_text("#/a.so"), [""; 0]);
    }

    #[test]
    fn words_of_later_comments_are_read_as_glibc_reads_them() {
        // Seen with glibc 2.36, which complains of each of these words in every program.
        let file = "# one two three\n/a.so\n# four five\n";
        assert_eq!(read_as_text(file), ["/a.so", "#", "four", "five"]);
        let file = "# 1\n/a.so\n# four five\n";
        assert_eq!(read_as_text(file), ["/a.so", "ve"]);
    }

    #[test]
    fn a_nul_character_hides_what_follows_but_not_the_last_path() {
        assert_eq!(read_as_text("/a\0b /c\n"), ["/a"]);
        assert_eq!(read_as_text("/a\0b /c\n/d\0e"), ["/a", "/d"]);
        let hidden = add(b"/a\0b\n", OURS.as_bytes());
        assert_eq!(hidden, Err(PreloadEntryError::Hidden));
        let would_hide = add(b"/a\0 /b", OURS.as_bytes());
        assert_eq!(would_hide, Err(PreloadEntryError::Hidden));
    }

    #[test]
    fn the_entry_comes_last_and_the_end_of_the_file_stays_as_it_was() {
        assert_eq!(added(""), format!("{OURS}\n"));
        assert_eq!(added("/a.so\n"), format!("/a.so\n{OURS}\n"));
        assert_eq!(added("/a.so"), format!("/a.so\n{OURS}"));
        assert_eq!(added("/a.so # x"), format!("/a.so # x\n{OURS}"));
        assert_eq!(added("/a.so\r\n"), format!("/a.so\r\n{OURS}\n"));
    }

    #[test]
    fn an_entry_that_is_there_is_not_added_again() {
        for file in [
            format!("{OURS}\n"),
            format!("/a.so:{OURS}\t/b.so # c"),
            OURS.into(),
        ] {
            assert_eq!(added(&file), file);
        }
    }

    #[test]
    fn an_entry_of_another_place_is_replaced_and_the_order_kept() {
        let other = "/old/libopentelemetry_injector.so";
        for file in [
            format!("/a.so {other} /b.so\n"),
            format!("/a.so {other} /b.so\n{other}\n"),
            format!("/a.so {OURS} /b.so\n{other}\n"),
            format!("/a.so {OURS}\r /b.so\n"),
        ] {
            assert_eq!(added(&file), format!("/a.so {OURS} /b.so\n"));
        }
    }

    #[test]
    fn only_ours_is_removed_with_its_own_line_or_one_separator() {
        for (before, after) in [
            (format!("{OURS}\n"), ""),
            (format!("/a.so\n{OURS}\n/b.so\n"), "/a.so\n/b.so\n"),
            (format!("/a.so\n{OURS}"), "/a.so"),
            (format!("/a.so {OURS} /b.so"), "/a.so /b.so"),
            (format!("/a.so:{OURS}"), "/a.so"),
            (format!("{OURS}:/a.so\n"), "/a.so\n"),
            (format!("  {OURS}\t\n/a.so\n"), "/a.so\n"),
            (format!("{OURS} # why\n"), "# why\n"),
            (format!("{OURS}#why\n"), "#why\n"),
            (format!("{OURS}\r\n/a.so\r\n"), "/a.so\r\n"),
            (format!("{OURS}\n{OURS} {OURS}\n"), ""),
            ("/usr/$LIB/libopentelemetry_injector.so\n".into(), ""),
            ("libopentelemetry_injector.so\n".into(), ""),
        ] {
            assert_eq!(removed(&before), after, "{before:?}");
        }
    }

    #[test]
    fn what_only_looks_like_ours_stays() {
        for file in [
            "/opt/libopentelemetry_injector.so.1\n",
            "/opt/libopentelemetry_injector.so/x\n",
            "/opt/my-libopentelemetry_injector.so\n",
            "# /opt/libopentelemetry_injector.so\n/a.so\n",
            "",
        ] {
            assert_eq!(removed(file), file);
        }
    }

    #[test]
    fn a_mention_in_a_comment_that_glibc_takes_for_an_entry_goes() {
        let long = "# one two three four five six seven eight nine ten eleven twelve";
        let file = format!("{long}\n/a.so\n# {OURS}\n");
        assert_eq!(read_as_text(&file), ["/a.so", "#", OURS]);
        assert_eq!(read_as_text(&removed(&file)), ["/a.so", "#"]);
    }

    #[test]
    fn a_part_of_a_comment_with_our_name_does_not_appear_when_ours_takes_its_place() {
        let old = "/old/libopentelemetry_injector.so";
        let comment = format!("#{OURS}{old}{OURS}\n");
        let file = format!("/a.so{comment}/b.so#1#{comment}xx{comment}#");
        let file = add(file.as_bytes(), OURS.as_bytes()).unwrap();
        let entries = entries(&file).into_iter();
        let ours: Vec<_> = entries.filter(|entry| is_ours(entry)).collect();
        assert_eq!(ours, [OURS.as_bytes()]);
    }

    #[test]
    fn words_of_comments_do_not_appear_when_ours_goes() {
        let file = format!("# 1\n/a.so\n# four five\n{OURS}\n");
        assert_eq!(read_as_text(&file), ["/a.so", OURS]);
        let blanks = " ".repeat(OURS.len());
        let without = format!("# 1\n/a.so\n# four five\n{blanks}\n");
        assert_eq!(removed(&file), without);
        assert_eq!(read_as_text(&without), ["/a.so"]);
        // Nor when a shorter path takes its place.
        let short = b"/libopentelemetry_injector.so";
        let file = file.replace("# 1", "# one two three four five");
        let file = add(file.as_bytes(), short).unwrap();
        assert_eq!(entries(&file), [&b"/a.so"[..], short]);
    }

    #[test]
    fn paths_that_the_loader_would_read_otherwise_are_refused() {
        for (path, problem) in [
            (
                "opt/libopentelemetry_injector.so",
                PreloadEntryError::NotAbsolute,
            ),
            ("", PreloadEntryError::NotAbsolute),
            (
                "/a b/libopentelemetry_injector.so",
                PreloadEntryError::Splits(b' '),
            ),
            (
                "/a:b/libopentelemetry_injector.so",
                PreloadEntryError::Splits(b':'),
            ),
            (
                "/a#b/libopentelemetry_injector.so",
                PreloadEntryError::Splits(b'#'),
            ),
            (
                "/a\n/libopentelemetry_injector.so",
                PreloadEntryError::Splits(b'\n'),
            ),
            (
                "/a/libopentelemetry_injector.so\r",
                PreloadEntryError::Splits(b'\r'),
            ),
            (
                "/a\0/libopentelemetry_injector.so",
                PreloadEntryError::Splits(0),
            ),
            (
                "/$ORIGIN/libopentelemetry_injector.so",
                PreloadEntryError::Token,
            ),
            (
                "/$LIBS/libopentelemetry_injector.so",
                PreloadEntryError::Token,
            ),
            ("/$/libopentelemetry_injector.so", PreloadEntryError::Token),
            ("/opt/injector.so", PreloadEntryError::OtherName),
        ] {
            let refused = add(b"", path.as_bytes());
            assert_eq!(refused, Err(problem), "{path:?}");
        }
        for path in ["/$LIB/x", "/${LIB}x/x", "/x/$LIB.d/x", "/$LIB/$LIB/x"] {
            let path = path.replace("x", OBJECT);
            assert_eq!(check(path.as_bytes()), Ok(()), "{path}");
        }
    }

    #[test]
    fn the_token_stands_for_a_folder() {
        assert_eq!(with_lib(b"/a/$LIB/b", b"lib64"), b"/a/lib64/b");
        assert_eq!(with_lib(b"/${LIB}x/$LIB", b"lib"), b"/libx/lib");
        assert_eq!(with_lib(b"/a", b"lib"), b"/a");
    }

    /// Calls back with every file of up to `length` of these pieces.
    fn for_every_file(pieces: &[&[u8]], length: usize, look: &mut impl FnMut(&[u8])) {
        let mut files = vec![Vec::new()];
        for _ in 0..length {
            let longer = files.iter().flat_map(|file: &Vec<u8>| {
                let pieces = pieces.iter();
                pieces.map(move |piece| [file, *piece].concat())
            });
            files = longer.collect();
            files.iter().for_each(|file| look(file));
        }
    }

    #[test]
    fn of_any_file_no_foreign_byte_changes() {
        let pieces: [&[u8]; 7] = [b"a", b" ", b":", b"\n", b"#", b"\0", b"\r"];
        for_every_file(&pieces, 5, &mut |file| {
            assert_eq!(remove(file), file);
            let Ok(added) = add(file, OURS.as_bytes()) else {
                assert!(file.contains(&0));
                return;
            };
            // Where glibc misreads the file, blanks may stay.
            let misread = foreign(&remove(file)) != foreign(&added);
            assert!(misread || remove(&added) == file);
            assert_eq!(add(&added, OURS.as_bytes()).as_ref(), Ok(&added));
            assert!(entries(&added).contains(&OURS.as_bytes()));
        });
    }

    #[test]
    fn of_any_file_with_entries_of_ours_none_is_left_and_foreign_ones_are() {
        let other = b"/old/libopentelemetry_injector.so";
        let pieces: [&[u8]; 7] = [b"/a", b" ", b":", b"\n", b"#", OURS.as_bytes(), other];
        // Words of comments that glibc misreads may change with what stands before them.
        let words = |file: &[u8]| {
            let words = foreign(file)
                .into_iter()
                .filter(|word| !word.contains(&b'#'));
            words.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        for_every_file(&pieces, 4, &mut |file| {
            let (removed, added) = (remove(file), add(file, OURS.as_bytes()).unwrap());
            assert!(ours(&removed).is_empty() && ours(&added).len() == 1);
            assert_eq!(words(&removed), words(file));
            let meant = read(file, Comments::AsMeant).filter_map(|range| file.get(range));
            let known = [foreign(file), meant.collect()].concat();
            assert!(foreign(&added).iter().all(|entry| known.contains(entry)));
        });
    }
}
