//! Reads and compares the sizes of volumes as Kubernetes writes them. Must not decide which size is wanted.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// A size in thousandths of a byte, as exact as Kubernetes compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size(u128);

/// Thousandths: what Kubernetes rounds a quantity to.
const SCALE: u32 = 3;

impl Size {
    /// The size that a quantity says; `None` for what is none, which an apiserver refuses.
    pub(crate) fn of(quantity: &Quantity) -> Option<Self> {
        Self::read(&quantity.0)
    }

    /// The size that a text says.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || fraction.contains('.') {
            return None;
        }
        let mantissa: u128 = digits.parse().ok()?;
        let behind_point = i32::try_from(fraction.len()).ok()?;
        let (factor, exponent) = scale_of(suffix)?;
        let exponent = exponent - behind_point + i32::try_from(SCALE).ok()?;
        let value = mantissa.checked_mul(factor)?;
        let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
        let value = if exponent < 0 { value.div_ceil(power) } else { value.checked_mul(power)? };
        Some(Self(value))
    }

    /// The thousandths of a byte.
    pub(crate) const fn thousandths(self) -> u128 {
        self.0
    }
}

/// A factor and a power of ten.
fn scale_of(suffix: &str) -> Option<(u128, i32)> {
    let binary = |power: u32| Some((1_u128 << (10 * power), 0));
    match suffix {
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "n" => Some((1, -9)),
        "u" => Some((1, -6)),
        "m" => Some((1, -3)),
        "" => Some((1, 0)),
        "k" => Some((1, 3)),
        "M" => Some((1, 6)),
        "G" => Some((1, 9)),
        "T" => Some((1, 12)),
        "P" => Some((1, 15)),
        "E" => Some((1, 18)),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            Some((1, digits.parse().ok()?))
        }
    }
}

#[cfg(test)]
mod tests;
