//! Task sizes as users write them. Decimal fractions are read with integers only.

use super::SizeError;

/// Units per vCPU and MiB per GB.
const STEP: i64 = 1024;
/// Decimal places that are read; more cannot change a size.
const PLACES: usize = 9;
/// Larger numbers than this are a mistake and would only overflow later.
const MOST: i64 = 1 << 40;

/// CPU units from `512`, `0.5 vCPU`, `.25 vcpu`, `1vCPU`.
///
/// Upper and lower case and blanks around the number make no difference. A part of a unit counts as a whole one:
/// `0.3 vCPU` is 307.2 units and becomes 308.
pub fn cpu_units(text: &str) -> Result<i64, SizeError> {
    const FORMS: &str = "whole CPU units such as 512, or vCPUs such as \"0.5 vCPU\"";
    read(text, "vcpu").ok_or_else(|| SizeError::Unreadable { text: text.to_owned(), expected: FORMS })
}

/// MiB from `512`, `1GB`, `0.5 GB`, `2 gb`. A part of a MiB counts as a whole one.
pub fn memory_mib(text: &str) -> Result<i64, SizeError> {
    const FORMS: &str = "whole MiB such as 512, or GB such as \"0.5 GB\"";
    read(text, "gb").ok_or_else(|| SizeError::Unreadable { text: text.to_owned(), expected: FORMS })
}

fn read(text: &str, unit: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    match lower.strip_suffix(unit) {
        Some(number) => scaled(number.trim_end()),
        None => whole(&lower),
    }
}

fn whole(digits: &str) -> Option<i64> {
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&number| only_digits && number <= MOST)
}

/// `number * 1024`, rounded up: `0.5` gives 512, `.25` gives 256.
fn scaled(number: &str) -> Option<i64> {
    let (units, fraction) = number.split_once('.').unwrap_or((number, ""));
    if units.is_empty() && fraction.is_empty() {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let units = if units.is_empty() { 0 } else { whole(units)? };
    let padded: String = fraction.chars().chain(std::iter::repeat('0')).take(PLACES).collect();
    let billionths: i64 = padded.parse().ok()?;
    let rounded_up = (billionths * STEP + 999_999_999) / 1_000_000_000;
    units.checked_mul(STEP)?.checked_add(rounded_up).filter(|&result| result <= MOST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn when_cpu_is_written_in_any_form_of_ecs_then_units_come_out() {
        for (text, units) in [
            ("512", 512),
            ("0.5 vCPU", 512),
            (".25 vcpu", 256),
            ("1vcpu", 1024),
            ("1 vCPU", 1024),
            ("2.VCPU", 2048),
            (" 16 vCPU ", 16384),
            ("0.125 vCPU", 128),
            ("192 vCPU", 196_608),
            ("0.3 vCPU", 308),
            ("0", 0),
        ] {
            assert_eq!(cpu_units(text), Ok(units), "{text}");
        }
    }

    #[test]
    fn when_memory_is_written_in_any_form_of_ecs_then_mib_come_out() {
        for (text, mib) in [
            ("512", 512),
            ("1GB", 1024),
            ("0.5 GB", 512),
            ("2 gb", 2048),
            ("120 GB", 122_880),
            (".5gb", 512),
            ("1.5GB", 1536),
        ] {
            assert_eq!(memory_mib(text), Ok(mib), "{text}");
        }
    }

    #[test]
    fn when_a_size_has_another_form_then_it_is_refused_with_the_forms_that_exist() {
        for text in
            ["", " ", "vCPU", ".vCPU", ".", "0.5", "512.0", "-1", "+1", "1e3", "1 core", "1,5 vCPU", "0.5.1 vCPU"]
        {
            assert!(cpu_units(text).is_err(), "{text}");
        }
        for text in
            ["", "GB", "512MB", "512 MiB", "1 GiB", "0x10", "1 GB GB", "99999999999999999999", "9999999999999 GB"]
        {
            assert!(memory_mib(text).is_err(), "{text}");
        }
        let message = cpu_units("half a core").unwrap_err().to_string();
        assert_eq!(
            message,
            r#""half a core" is not a size: write whole CPU units such as 512, or vCPUs such as "0.5 vCPU""#
        );
    }

    #[test]
    fn when_there_are_many_decimal_places_then_the_ones_beyond_a_billionth_change_nothing() {
        assert_eq!(cpu_units("0.50000000000000000000000001 vCPU"), Ok(512));
        assert_eq!(memory_mib("0.000000001 GB"), Ok(1));
    }

    proptest! {
        #[test]
        fn thousandths_of_a_vcpu_are_never_rounded_down(thousandths in 0_i64..200_000) {
            let text = format!("{}.{:03} vCPU", thousandths / 1000, thousandths % 1000);
            let units = cpu_units(&text).unwrap();
            prop_assert!(units * 1000 >= thousandths * 1024);
            prop_assert!((units - 1) * 1000 < thousandths * 1024 || units == 0);
        }

        #[test]
        fn no_text_makes_the_reader_fail_in_another_way(text in ".{0,24}") {
            let _ = cpu_units(&text);
            prop_assert!(memory_mib(&text).is_err() || text.bytes().any(|byte| byte.is_ascii_digit()));
        }
    }
}
