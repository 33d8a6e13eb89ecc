//! The command lines of the processes that a process descends from (proc(5)).

use alloc::vec::Vec;

/// The longest file that is read, in bytes: a command line may be megabytes long.
pub const LONGEST: usize = 64 << 10;

/// A file below `/proc`, not longer than [`LONGEST`]. (To read a command line, the kernel waits until nobody
/// changes that process's mappings.)
pub struct ProcFile {
    /// The content.
    pub content: Vec<u8>,
    /// The number of the user that it belongs to: the effective one of that process.
    pub owner: u32,
}

/// The strings in a file, each of which ends with NUL: `cmdline`, `environ`.
pub fn strings(content: &[u8]) -> Vec<Vec<u8>> {
    let content = content.strip_suffix(b"\0").unwrap_or(content);
    let strings = content.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    strings.collect()
}

/// The number of the parent in the content of `stat`: the fourth field, behind a name in parentheses that may
/// hold anything. `None` where there is no parent, or none in this namespace.
pub fn parent(stat: &[u8]) -> Option<&[u8]> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat.get(end + 1..)?.split(|byte| *byte == b' ');
    let number = fields.nth(2)?;
    let is_number = number.iter().all(u8::is_ascii_digit) && number.len() <= 10;
    (is_number && !number.is_empty() && number != b"0").then_some(number)
}

/// The command line of an ancestor: the parent where `above` is 0, the parent's parent where it is 1.
///
/// `process` is the folder below `/proc` to begin in, and `read` reads a file by its path below `/proc`. The
/// numbers are those of that `/proc`, whatever namespace it was mounted in. The ancestor must belong to
/// `user`, and be the same one before and after its command line is read: a process that has ended may leave
/// its number to another.
pub fn command_line(
    process: &[u8],
    above: usize,
    user: u32,
    read: impl Fn(&[u8]) -> Option<ProcFile>,
) -> Option<Vec<Vec<u8>>> {
    let ancestor = number(process, above, &read)?;
    let file = read(&[&ancestor, b"/cmdline".as_slice()].concat())?;
    let is_same = number(process, above, &read).as_ref() == Some(&ancestor);
    let is_usable = is_same && file.owner == user && !file.content.is_empty();
    is_usable.then(|| strings(&file.content))
}

fn number(
    process: &[u8],
    above: usize,
    read: &impl Fn(&[u8]) -> Option<ProcFile>,
) -> Option<Vec<u8>> {
    let mut process = process.to_vec();
    for _ in 0..=above {
        let stat = read(&[&process, b"/stat".as_slice()].concat())?;
        process = parent(&stat.content)?.to_vec();
    }
    Some(process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn the_parent_stands_behind_the_name() {
        for (stat, wanted) in [
            ("7 (python3) S 5 7 7 0", Some("5")),
            ("7 (a) S 9 (b) R 3 x", Some("3")),
            ("7 (x) S 0 0 0", None),
            ("7 (x) S -1 0", None),
            ("7 (x) S ../1 0", None),
            ("7 (x) S", None),
            ("7 (x", None),
            ("", None),
        ] {
            assert_eq!(parent(stat.as_bytes()), wanted.map(str::as_bytes), "{stat}");
        }
    }

    #[test]
    fn an_ancestor_is_the_same_users_and_stays_the_same() {
        let told = |above, owner, ends: bool| {
            let asked = Cell::new(0);
            let line = command_line(b"self", above, 33, |path| {
                let text = match path {
                    // Its parent has ended: it is the child of another one now.
                    b"self/stat" if ends && asked.replace(1) == 1 => "9 (c) S 1 0",
                    b"self/stat" => "9 (c) S 5 0",
                    b"5/stat" => "5 (b) S 3 0",
                    b"5/cmdline" => "python3\0-c\0x\0",
                    b"3/cmdline" => "python3\0shop.py\0",
                    _ => return None,
                };
                let content = text.into();
                Some(ProcFile { content, owner })
            });
            line.map(|words| words.join(&b' '))
        };
        assert_eq!(told(0, 33, false).unwrap(), b"python3 -c x");
        assert_eq!(told(1, 33, false).unwrap(), b"python3 shop.py");
        assert_eq!(told(2, 33, false), None);
        assert_eq!(told(0, 34, false), None);
        assert_eq!(told(0, 33, true), None);
    }
}
