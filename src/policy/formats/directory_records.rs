//! The names in a buffer that getdents64(2) has filled.

use alloc::vec::Vec;

/// Where a record has its own length (`d_reclen`), and where its name begins.
const LENGTH: core::ops::Range<usize> = 16..18;
const NAME: usize = 19;

/// Appends the names in a buffer of `struct linux_dirent64`: inode and offset of 8 bytes each, the
/// record's length of 2, the type of 1, the name with a NUL behind it.
pub fn collect_names(mut records: &[u8], names: &mut Vec<Vec<u8>>) {
    while let Some(&[low, high]) = records.get(LENGTH) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some((record, rest)) = records.split_at_checked(length) else {
            return;
        };
        // A record that does not even hold itself: nothing tells where the next one would be.
        let Some(name) = record.get(NAME..) else {
            return;
        };
        names.push(
            name.split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec(),
        );
        records = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &[u8], padding: usize) -> Vec<u8> {
        let mut record = [0; NAME].to_vec();
        record.extend(name);
        record.extend([0].repeat(padding));
        let length = u16::try_from(record.len()).unwrap();
        record[LENGTH].copy_from_slice(&length.to_ne_bytes());
        record
    }

    #[test]
    fn names_are_read_to_the_last_whole_record() {
        let mut records = [record(b".", 4), record(b"10-a.toml", 1), record(b"x", 4)].concat();
        let mut names = Vec::new();
        collect_names(&records, &mut names);
        assert_eq!(names, [&b"."[..], b"10-a.toml", b"x"]);
        records.pop();
        names.clear();
        collect_names(&records, &mut names);
        assert_eq!(names, [&b"."[..], b"10-a.toml"]);
    }

    #[test]
    fn a_record_without_room_for_a_name_ends_it() {
        for length in [0, 1, 18] {
            let mut records = [0xff; 64];
            records[LENGTH].copy_from_slice(&u16::to_ne_bytes(length));
            let mut names = Vec::new();
            collect_names(&records, &mut names);
            assert!(names.is_empty());
        }
    }
}
