//! Files, folders and standard input as documents.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use crate::error::InputError;
use crate::parse::{self, Document};

/// Names that end so are read from a folder; a file that is named itself is read whatever its name.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// More bytes than this in one input are a mistake: the API server takes 3 MiB an object.
const MOST_BYTES: u64 = 64 << 20;

/// Reads everything that `paths` name, in their order; a folder's files in the order of their names.
///
/// # Errors
/// Every input that cannot be read or parsed.
pub fn documents(paths: &[String], is_recursive: bool) -> Result<Vec<Document>, Vec<InputError>> {
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        // The same file or stream twice would be two claims to each name in it.
        if !seen.insert(path) {
            continue;
        }
        let result = match path.as_str() {
            "-" => bytes("-", std::io::stdin().lock()).and_then(|bytes| parse::documents("-", &bytes)),
            _ if Path::new(path).is_dir() => match files(Path::new(path), is_recursive) {
                Ok(files) if files.is_empty() => {
                    Err(InputError::unreadable(path, "no file here ends in .json, .yaml or .yml"))
                }
                Ok(files) => files.iter().try_fold(Vec::new(), |mut all, file| {
                    all.extend(read_file(file)?);
                    Ok(all)
                }),
                Err(error) => Err(error),
            },
            _ => read_file(path),
        };
        match result {
            Ok(read) => documents.extend(read),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() && documents.is_empty() {
        errors.push(InputError::unreadable(&paths.join(", "), "no document in it"));
    }
    if errors.is_empty() { Ok(documents) } else { Err(errors) }
}

fn read_file(path: &str) -> Result<Vec<Document>, InputError> {
    let file = fs::File::open(path).map_err(|error| InputError::unreadable(path, error))?;
    parse::documents(path, &bytes(path, file)?)
}

fn bytes(name: &str, source: impl Read) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| InputError::unreadable(name, error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(InputError::unreadable(name, format!("larger than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(bytes)
}

/// The files of a folder, sorted by name; with `is_recursive` those of its folders too, each in its place.
fn files(folder: &Path, is_recursive: bool) -> Result<Vec<String>, InputError> {
    let fail = |error: std::io::Error| InputError::unreadable(&folder.display().to_string(), error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        // A link is taken for a file, not followed as a folder: it could lead back here.
        let is_folder = entry.file_type().map_err(fail)?.is_dir();
        entries.push((entry.path(), is_folder));
    }
    entries.sort();
    let mut found = Vec::new();
    for (path, is_folder) in entries {
        if is_folder {
            if is_recursive {
                found.extend(files(&path, true)?);
            }
        } else if path.extension().and_then(|end| end.to_str()).is_some_and(|end| EXTENSIONS.contains(&end)) {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}
