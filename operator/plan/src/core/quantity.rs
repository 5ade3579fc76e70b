//! Kubernetes quantities in their canonical form.
//!
//! The API server stores `1024Mi` as `1Gi` and `1000m` as `1`. Children are compared with what is stored, so they are
//! written that way from the start; otherwise every comparison would find a difference and write again.

/// CPU from millicores: 250 is `250m`, 2000 is `2`.
#[must_use]
pub fn cpu(milli: i64) -> String {
    self::milli(milli)
}

/// A number in thousandths: 100 is `100m`, 0 is `0`, 2000 is `2`.
#[must_use]
pub fn milli(value: i64) -> String {
    if value % 1000 == 0 { (value / 1000).to_string() } else { format!("{value}m") }
}

/// Memory from mebibytes: 512 is `512Mi`, 1536 stays `1536Mi`, 2048 is `2Gi`.
#[must_use]
pub fn mebibytes(value: i64) -> String {
    binary(value, &["Mi", "Gi", "Ti", "Pi"])
}

/// Storage from gibibytes: 21 is `21Gi`, 16384 is `16Ti`.
#[must_use]
pub fn gibibytes(value: i64) -> String {
    binary(value, &["Gi", "Ti", "Pi"])
}

fn binary(mut value: i64, suffixes: &[&str]) -> String {
    if value == 0 {
        return "0".to_owned();
    }
    let mut suffix = suffixes.first().copied().unwrap_or_default();
    for larger in suffixes.iter().skip(1) {
        if value % 1024 != 0 {
            break;
        }
        value /= 1024;
        suffix = larger;
    }
    format!("{value}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_as_the_server_stores_them() {
        for (milli, text) in [(2, "2m"), (250, "250m"), (1000, "1"), (1500, "1500m"), (16000, "16"), (0, "0")] {
            assert_eq!(cpu(milli), text);
        }
        for (mebi, text) in [(6, "6Mi"), (1024, "1Gi"), (1536, "1536Mi"), (122_880, "120Gi"), (1_048_576, "1Ti")] {
            assert_eq!(mebibytes(mebi), text);
        }
        for (gibi, text) in [(1, "1Gi"), (1024, "1Ti"), (16384, "16Ti"), (1500, "1500Gi")] {
            assert_eq!(gibibytes(gibi), text);
        }
    }
}
