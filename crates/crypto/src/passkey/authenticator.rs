//! Authenticator data (Web Authentication Level 3, §6.1): the relying party, the flags, and the credential that
//! was created.

use ciborium::Value;
use subtle::ConstantTimeEq;

use super::{Party, cose};
use crate::mac::sha256;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const CREDENTIAL: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// The length of the model's number (AAGUID). No decision depends on it.
const MAKER: usize = 16;

pub(super) struct AuthenticatorData {
    party: [u8; 32],
    flags: u8,
    pub(super) count: u32,
    pub(super) made: Option<Made>,
}

/// A credential that was just created.
pub(super) struct Made {
    pub(super) id: Vec<u8>,
    /// A `COSE_Key`.
    pub(super) key: Vec<(Value, Value)>,
}

impl AuthenticatorData {
    /// Parses exactly what §6.1 describes; nothing may follow.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (party, rest) = bytes.split_first_chunk::<32>()?;
        let (&[flags], rest) = rest.split_first_chunk::<1>()?;
        let (count, mut rest) = rest.split_first_chunk::<4>()?;
        let made = if flags & CREDENTIAL == 0 {
            None
        } else {
            Some(Made::parse(&mut rest)?)
        };
        if flags & EXTENSIONS != 0 && !matches!(cose::item(&mut rest)?, Value::Map(_)) {
            return None;
        }
        rest.is_empty().then_some(Self {
            party: *party,
            flags,
            count: u32::from_be_bytes(*count),
            made,
        })
    }

    pub(super) fn is_for(&self, party: &Party) -> bool {
        self.party.ct_eq(&sha256(party.id.as_bytes())).into()
    }

    /// Whether the user is present and verified. A credential that is backed up but not eligible for backup is
    /// invalid (§6.1.3).
    pub(super) fn user_was_verified(&self) -> bool {
        let all = |flags: u8| self.flags & flags == flags;
        all(USER_PRESENT | USER_VERIFIED) && (all(BACKUP_ELIGIBLE) || !all(BACKED_UP))
    }
}

impl Made {
    fn parse(rest: &mut &[u8]) -> Option<Self> {
        let (_, after) = rest.split_at_checked(MAKER)?;
        let (length, after) = after.split_first_chunk::<2>()?;
        let (id, mut after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let Value::Map(key) = cose::item(&mut after)? else {
            return None;
        };
        *rest = after;
        Some(Self {
            id: id.to_vec(),
            key,
        })
    }
}
