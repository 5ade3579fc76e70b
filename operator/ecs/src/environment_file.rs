//! Environment files as the agent of ECS reads them, which is not how dotenv libraries read them.

use std::collections::BTreeMap;

use crate::name;

/// Most files of one container.
pub const MOST_FILES: usize = 10;

/// The name of the ConfigMap (or Secret) of Kubernetes that holds the variables of a file, one key each.
///
/// It is `env-` and the ARN's bucket and key as a DNS label with at most 63 characters; a hash of the whole keeps files
/// of other buckets and spellings apart: `arn:aws:s3:::config/prod/web.env` becomes `env-config-prod-web-env-` and 8 hex
/// digits of the hash of `env-config/prod/web.env`.
///
/// `None` for what is no ARN of an object in S3.
pub fn object_name(arn: &str) -> Option<String> {
    const MAX: usize = 63;
    let (partition, object) = arn.strip_prefix("arn:")?.split_once(":s3:::")?;
    let (bucket, key) = object.split_once('/')?;
    let is_partition = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if !is_partition || bucket.is_empty() || key.is_empty() {
        return None;
    }
    Some(name::dns_label(&format!("env-{object}"), MAX))
}

/// Whether a variable can be a key of a ConfigMap or Secret, where a container takes whole objects from: at most 253 of
/// letters, digits, `-`, `_` and `.`, and neither `.` nor `..` at the beginning.
pub fn is_object_key(variable: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=253).contains(&variable.len()) && variable.chars().all(legal) && variable != "." && !variable.starts_with("..")
}

/// The variables of one file.
///
/// A line is skipped when its first character is `#`, when it has no `=` or when nothing stands before the `=`. The
/// first `=` divides name and value; both are taken as they are, with blanks, quotes and `export`. Lines end with a
/// line feed, or a carriage return and a line feed. Of equal names the last one counts.
///
/// | line | variable |
/// |---|---|
/// | `A=1` | `A` is `1` |
/// | `A = "1"` | `A ` (with the blank) is ` "1"` |
/// | `A=b=c` | `A` is `b=c` |
/// | `A=` | `A` is empty |
/// | ` # no comment=1` | ` # no comment` is `1` |
/// | `# comment=1`, `A`, `=1` | none |
pub fn parse(text: &str) -> BTreeMap<String, String> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The variables that a container sees: `environment` beats every file, and among the files the **first** that has a
/// name counts. Kubernetes lets the last `envFrom` win, so the files are listed there in reverse.
pub fn merge(environment: &BTreeMap<String, String>, files: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let mut merged = BTreeMap::new();
    for variables in files.iter().rev().chain(std::iter::once(environment)) {
        merged.extend(variables.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn when_a_line_has_a_name_then_everything_around_the_first_equals_sign_is_verbatim() {
        for (line, name, value) in [
            ("A=1", "A", "1"),
            ("A = \"1\"", "A ", " \"1\""),
            ("A=b=c", "A", "b=c"),
            ("A=", "A", ""),
            (" # no comment=1", " # no comment", "1"),
            ("export A=1", "export A", "1"),
            ("A='$B'\r", "A", "'$B'"),
            ("A=1 # tail", "A", "1 # tail"),
            ("A=line\\nfeed", "A", "line\\nfeed"),
        ] {
            assert_eq!(parse(line), variables(&[(name, value)]), "{line:?}");
        }
    }

    #[test]
    fn when_a_line_is_a_comment_or_has_no_name_then_it_is_skipped() {
        assert_eq!(parse("# comment=1\nA\n=1\n\n\r\n#\n="), BTreeMap::new());
    }

    #[test]
    fn when_a_name_comes_twice_in_one_file_then_the_last_counts() {
        assert_eq!(parse("A=1\nB=2\nA=3\n"), variables(&[("A", "3"), ("B", "2")]));
    }

    #[test]
    fn when_several_files_have_a_name_then_the_first_counts_and_environment_beats_all() {
        let files = [variables(&[("A", "first"), ("B", "first")]), variables(&[("B", "second"), ("C", "second")])];
        let merged = merge(&variables(&[("A", "environment")]), &files);
        assert_eq!(merged, variables(&[("A", "environment"), ("B", "first"), ("C", "second")]));
    }

    #[test]
    fn when_a_file_is_in_s3_then_its_object_has_a_name_of_its_own() {
        let hashed = |stem: &str, original: &str| format!("{stem}-{}", hash::hex(original, 8));
        for (arn, expected) in [
            ("arn:aws:s3:::config/prod/web.env", hashed("env-config-prod-web-env", "env-config/prod/web.env")),
            ("arn:aws:s3:::config/web.env", hashed("env-config-web-env", "env-config/web.env")),
            ("arn:aws-cn:s3:::config/web.env", hashed("env-config-web-env", "env-config/web.env")),
            ("arn:aws:s3:::config/Web.env", hashed("env-config-web-env", "env-config/Web.env")),
        ] {
            assert_eq!(object_name(arn), Some(expected), "{arn}");
        }
        for arn in ["", "arn:aws:s3:::config", "arn:aws:s3:::config/", "arn:aws:s3:::/web.env", "s3://config/web.env"] {
            assert_eq!(object_name(arn), None, "{arn}");
        }
        assert!(object_name(&format!("arn:aws:s3:::b/{}.env", "k".repeat(900))).is_some_and(|name| name.len() == 63));
    }

    #[test]
    fn when_a_variable_has_other_characters_then_it_is_no_key() {
        for (variable, is_key) in
            [("A", true), ("a.b-c_1", true), (".a", true), ("", false), ("A ", false), ("..a", false), (".", false)]
        {
            assert_eq!(is_object_key(variable), is_key, "{variable:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_can_be_written_on_a_line_comes_back(
            pairs in proptest::collection::btree_map("[^#=\r\n][^=\r\n]{0,6}", "[^\r\n]{0,8}", 0..6),
        ) {
            let lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            prop_assert_eq!(parse(&lines.join("\n")), pairs);
        }
    }
}
