//! A strict reader for the few DER structures that keys and signatures use (X.690 §8 and §10).
//!
//! Libraries accept BER lengths, padded integers and trailing bytes. This server must not: if one key had two
//! texts, or one text two meanings, a blocked key could be registered again. So all input from outside is checked
//! here before it reaches a library.
//!
//! The reader borrows its input, and never allocates, recurses or indexes. Invalid input is an [`Error`].

/// Tag of a SEQUENCE (constructed).
pub(crate) const SEQUENCE: u8 = 0x30;
/// Tag of an INTEGER.
pub(crate) const INTEGER: u8 = 0x02;
/// Tag of a BIT STRING.
pub(crate) const BIT_STRING: u8 = 0x03;

/// The input is not the expected DER structure. The error does not say which byte was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error;

/// The unread rest of one level of a structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// The tag of the next element, `None` at the end.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next element, which must have exactly this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Result<&'a [u8], Error> {
        let (&found, rest) = self.0.split_first().ok_or(Error)?;
        if found != tag {
            return Err(Error);
        }
        let (length, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Error)?;
        self.0 = rest;
        Ok(content)
    }

    /// A reader over the next element, a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Self, Error> {
        self.element(SEQUENCE).map(Self)
    }

    /// The magnitude of the next INTEGER, big-endian and without a sign byte; zero is one zero byte.
    ///
    /// Negative and padded integers are refused.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], Error> {
        match self.element(INTEGER)? {
            content @ ([0] | [1..=0x7f, ..]) => Ok(content),
            [0, magnitude @ ..] if magnitude.first() >= Some(&0x80) => Ok(magnitude),
            _ => Err(Error),
        }
    }

    /// The bytes of the next BIT STRING, which must have no unused bits.
    pub(crate) fn bit_string(&mut self) -> Result<&'a [u8], Error> {
        match self.element(BIT_STRING)? {
            [0, bits @ ..] => Ok(bits),
            _ => Err(Error),
        }
    }

    /// Fails if anything follows.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error)
        }
    }
}

/// Reads one definite, minimal length. Lengths from 65 536 on are refused: no key is that long.
fn length(input: &[u8]) -> Result<(usize, &[u8]), Error> {
    match *input {
        [short @ 0..=0x7f, ref rest @ ..] => Ok((usize::from(short), rest)),
        [0x81, long @ 0x80..=0xff, ref rest @ ..] => Ok((usize::from(long), rest)),
        [0x82, high @ 1..=0xff, low, ref rest @ ..] => {
            Ok((usize::from(u16::from_be_bytes([high, low])), rest))
        }
        _ => Err(Error),
    }
}

/// Writes one element. `None` from 65 536 bytes on, which [`Reader`] would not read back.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let mut out = Vec::with_capacity(content.len() + 4);
    out.push(tag);
    match (high, low) {
        (0, 0..=0x7f) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend_from_slice(content);
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unsigned(input: &[u8]) -> Result<&[u8], Error> {
        let mut reader = Reader::new(input);
        let value = reader.unsigned()?;
        reader.end()?;
        Ok(value)
    }

    #[test]
    fn integers_are_minimal_and_not_negative() {
        assert_eq!(unsigned(&[2, 1, 0]), Ok(&[0][..]));
        assert_eq!(unsigned(&[2, 1, 0x7f]), Ok(&[0x7f][..]));
        assert_eq!(unsigned(&[2, 2, 0, 0x80]), Ok(&[0x80][..]));
        for wrong in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 2, 0, 0],
            &[2, 2, 0, 0x7f],
            &[2, 2, 0xff, 0x80],
            &[2, 2, 1],
            &[3, 1, 1],
            &[2, 1, 1, 0],
            &[2],
            &[],
        ] {
            assert_eq!(unsigned(wrong), Err(Error), "{wrong:02x?}");
        }
    }

    #[test]
    fn lengths_are_minimal_definite_and_bounded() {
        assert_eq!(length(&[0x7f, 9]), Ok((0x7f, &[9][..])));
        assert_eq!(length(&[0x81, 0x80]), Ok((0x80, &[][..])));
        assert_eq!(length(&[0x82, 1, 0]), Ok((0x100, &[][..])));
        for wrong in [
            &[][..],
            &[0x80],
            &[0x81],
            &[0x81, 0x7f],
            &[0x82, 0, 0xff],
            &[0x82, 1],
            &[0x83, 1, 0, 0],
            &[0x84, 0xff, 0xff, 0xff, 0xff],
            &[0xff],
        ] {
            assert_eq!(length(wrong), Err(Error), "{wrong:02x?}");
        }
    }

    #[test]
    fn a_bit_string_names_its_unused_bits_and_has_none() {
        assert_eq!(Reader::new(&[3, 2, 0, 5]).bit_string(), Ok(&[5][..]));
        assert_eq!(Reader::new(&[3, 2, 1, 4]).bit_string(), Err(Error));
        assert_eq!(Reader::new(&[3, 0]).bit_string(), Err(Error));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tag: u8, content in prop::collection::vec(any::<u8>(), 0..700)) {
            let written = encode(tag, &content).expect("short");
            let mut reader = Reader::new(&written);
            prop_assert_eq!(reader.element(tag), Ok(&content[..]));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn whatever_is_read_is_the_only_spelling(input in prop::collection::vec(any::<u8>(), 0..400)) {
            let Some(tag) = Reader::new(&input).peek() else { return Ok(()) };
            let mut reader = Reader::new(&input);
            if let Ok(content) = reader.element(tag) {
                let again = encode(tag, content).expect("came out of a short input");
                prop_assert_eq!(&input[..again.len()], &again[..]);
            }
        }
    }
}
