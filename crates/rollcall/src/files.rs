//! Files that are read whole: never more of one than it can sensibly hold, for a name may lead to a device without an end.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Longest key or client secret, bytes: both are far below.
pub const SECRET: u64 = 64 << 10;
/// Longest policy or scenario file, bytes.
pub const DOCUMENT: u64 = 64 << 20;

/// All of a file.
///
/// # Errors
/// The system's, or that it is longer than `most` bytes.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    whole(File::open(path)?, most)
}

/// All of a stream.
///
/// # Errors
/// As for [`read`].
pub fn whole(from: impl Read, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// All of a text file.
///
/// # Errors
/// As for [`read`], or that it is not UTF-8.
pub fn text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read(path, most)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let refused = read(Path::new("/dev/zero"), SECRET).expect_err("no file");
        assert_eq!(refused.to_string(), "it is longer than 65536 bytes");
        assert_eq!(whole(&b"abc"[..], 3).expect("just as long"), b"abc");
    }
}
