//! Arithmetic modulo the 8192-bit prime of RFC 5054 appendix A (the same as in RFC 3526), g = 19.
//!
//! Anybody can request powers of g without an account. So they are computed with a table of 64 windows of four
//! bits: 64 multiplications instead of 256 squarings and 78 multiplications.

use std::sync::LazyLock;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, CtAssign, CtEq, MontyForm, MontyMultiplier, Odd};
use zeroize::Zeroizing;

use super::{NUMBER_LEN, sha512};
use crate::Key;

/// N, hexadecimal.
const PRIME: &str = "\
    ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
    ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
    ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f\
    83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b\
    e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa0510\
    15728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb850458dbef0a8aea71575d060c7db3970f85a6e1e4c7\
    abf5ae8cdb0933d71e8c94e04a25619dcee3d2261ad2ee6bf12ffa06d98a0864d87602733ec86a64521f2b18177b200c\
    bbe117577a615d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e4b82d120a92108011a723c12a787e6d7\
    88719a10bdba5b2699c327186af4e23c1a946834b6150bda2583e9ca2ad44ce8dbbbc2db04de8ef92e8efc141fbecaa6\
    287c59474e6bc05d99b2964fa090c3a2233ba186515be7ed1f612970cee2d7afb81bdd762170481cd0069127d5b05aa9\
    93b4ea988d8fddc186ffb7dc90a6c08f4df435c93402849236c3fab4d27c7026c1d4dcb2602646dec9751e763dba37bd\
    f8ff9406ad9e530ee5db382f413001aeb06a53ed9027d831179727b0865a8918da3edbebcf9b14ed44ce6cbaced4bb1b\
    db7f1447e6cc254b332051512bd7af426fb8f401378cd2bf5983ca01c64b92ecf032ea15d1721d03f482d7ce6e74fef6\
    d55e702f46980c82b5a84031900b1c9e59e7c97fbec7e8f323a97a7e36cc88be0f1d45b7ff585ac54bd407b22b4154aa\
    cc8f6d7ebf48e1d814cc5ed20f8037e0a79715eef29be32806a1d58bb7c5da76f550aa3d8a1fbff0eb19ccb1a313d55c\
    da56c9ec2ef29632387fe8d76e3c0468043e8f663f4860ee12bf2d5b0b7474d6e694f91e6dbe115974a3926f12fee5e4\
    38777cb6a932df8cd8bec4d073b931ba3bc832b68d9dd300741fa7bf8afc47ed2576f6936ba424663aab639c5ae4f568\
    3423b4742bf1c978238f16cbe39d652de3fdb8befc848ad922222e04a4037c0713eb57a81a23f0c73473fc646cea306b\
    4bcbc8862f8385ddfa9d4b7fa2c087e879683303ed5bdd3a062b3cf5b3a278a66d2a13f83f44f82ddf310ee074ab6a36\
    4597e899a0255dc164f31cc50846851df9ab48195ded7ea1b1d510bd7ee74d73faf36bc31ecfa268359046f4eb879f92\
    4009438b481c6cd7889a002ed5ee382bc9190da6fc026e479558e4475677e9aa9e3050e2765694dfc81f56e880b96e71\
    60c980dd98edd3dfffffffffffffffff\
";
/// g.
const GENERATOR: u8 = 19;
/// Length of N in bits.
const PRECISION: u32 = 8192;
/// Bits of an exponent that one row of the table covers.
const WINDOW: usize = 4;
/// Entries of a row: the powers 0 to 15 of one number.
const ROW_LEN: usize = 1 << WINDOW;

static GROUP: LazyLock<Group> = LazyLock::new(Group::new);

/// The constants of the group in Montgomery form.
pub(super) struct Group {
    params: BoxedMontyParams,
    /// k = H(PAD(N) | PAD(g)).
    multiplier: BoxedMontyForm,
    /// `rows[i][j]` is `g^(j * 16^i)`, for every four bits of a 32-byte exponent.
    rows: Vec<Vec<BoxedMontyForm>>,
}

impl Group {
    pub(super) fn get() -> &'static Self {
        &GROUP
    }

    fn new() -> Self {
        let modulus = BoxedUint::from_be_hex(PRIME, PRECISION).into_option();
        let modulus = modulus.expect("the constant is 2048 hex digits");
        let padded_modulus = modulus.to_be_bytes();
        let odd = Odd::new(modulus).into_option().expect("the prime is odd");
        let params = BoxedMontyParams::new_vartime(odd);
        let number = |bytes: &[u8]| {
            BoxedMontyForm::new(
                BoxedUint::from_be_slice_truncated(bytes, PRECISION),
                &params,
            )
        };
        let mut padded_generator = [0; NUMBER_LEN];
        padded_generator[NUMBER_LEN - 1] = GENERATOR;
        Self {
            multiplier: number(&sha512(&[&padded_modulus, &padded_generator])),
            rows: rows(number(&[GENERATOR])),
            params,
        }
    }

    /// A big-endian number of at most [`NUMBER_LEN`] bytes, reduced; `None` if it is longer.
    pub(super) fn element(&self, bytes: &[u8]) -> Option<BoxedMontyForm> {
        let number = BoxedUint::from_be_slice(bytes, PRECISION).ok()?;
        Some(BoxedMontyForm::new(number, &self.params))
    }

    /// k * v.
    pub(super) fn masked(&self, verifier: &BoxedMontyForm) -> Zeroizing<BoxedMontyForm> {
        Zeroizing::new(&self.multiplier * verifier)
    }

    /// g to an exponent of any length, without the table.
    pub(super) fn power_of_generator(&self, bytes: &[u8]) -> Zeroizing<BoxedMontyForm> {
        let generator = BoxedUint::from_be_slice_truncated(&[GENERATOR], PRECISION);
        power(
            &BoxedMontyForm::new(generator, &self.params),
            &exponent(bytes),
        )
    }

    /// g^b. Reads the whole table, so that neither time nor memory access reveals the exponent.
    pub(super) fn generator_power(&self, b: &Key) -> Zeroizing<BoxedMontyForm> {
        let nibbles = b
            .expose()
            .iter()
            .rev()
            .flat_map(|byte| [byte & 0xf, byte >> WINDOW]);
        let mut multiplier = <BoxedMontyForm as MontyForm>::Multiplier::from(&self.params);
        let mut product = Zeroizing::new(BoxedMontyForm::one(&self.params));
        let mut factor = product.clone();
        for (row, nibble) in self.rows.iter().zip(nibbles) {
            for (index, entry) in (0u8..).zip(row) {
                let chosen = index.ct_eq(&nibble);
                factor
                    .as_montgomery_mut()
                    .ct_assign(entry.as_montgomery(), chosen);
            }
            MontyMultiplier::mul_assign(&mut multiplier, &mut product, &factor);
        }
        product
    }
}

fn rows(generator: BoxedMontyForm) -> Vec<Vec<BoxedMontyForm>> {
    let mut rows = Vec::with_capacity(Key::LEN * 2);
    let mut base = generator;
    while rows.len() < Key::LEN * 2 {
        let mut power = BoxedMontyForm::one(base.params());
        let mut row = Vec::with_capacity(ROW_LEN);
        while row.len() < ROW_LEN {
            let next = &power * &base;
            row.push(std::mem::replace(&mut power, next));
        }
        base = power;
        rows.push(row);
    }
    rows
}

/// A big-endian exponent of its own length: 256 bits for `b`, 512 for `u`.
pub(super) fn exponent(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

/// `base` to the exponent, with a fixed window over all bits that the exponent could have.
pub(super) fn power(base: &BoxedMontyForm, exponent: &BoxedUint) -> Zeroizing<BoxedMontyForm> {
    Zeroizing::new(base.pow_bounded_exp(exponent, exponent.bits_precision()))
}

/// PAD: the number as [`NUMBER_LEN`] big-endian bytes.
pub(super) fn padded(number: &BoxedMontyForm) -> Option<Box<[u8; NUMBER_LEN]>> {
    let number = Zeroizing::new(number.retrieve());
    number.to_be_bytes().try_into().ok()
}

/// Whether a big-endian number of [`NUMBER_LEN`] bytes lies in `low..=N - margin`, for small bounds.
pub(super) fn within(bytes: &[u8; NUMBER_LEN], low: u8, margin: u8) -> bool {
    let number = Zeroizing::new(BoxedUint::from_be_slice_truncated(bytes, PRECISION));
    let low = BoxedUint::from(low);
    let modulus = Group::get().params.modulus().as_ref();
    *number >= low && *number <= modulus.wrapping_sub(BoxedUint::from(margin))
}
