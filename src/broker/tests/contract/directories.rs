//! The directories of `tests/cases`, read whole or refused: none without its case, no file that belongs to none.

use super::case::{Base, Case};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};

/// Every case with its base, by name. The error lists all directories and files that are no case, or of none.
pub(super) fn all() -> Result<Vec<(Base, Case)>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let (mut cases, mut wrong) = (Vec::new(), Vec::new());
    for issuer in entries(&root) {
        let base = read::<Base>(&issuer.join("base.toml"));
        let base = base.and_then(|mut base| {
            base.answer.iter_mut().try_for_each(|answer| answer.complete(&issuer))?;
            if base.sentence.is_empty() { Err(format!("{} says nothing", issuer.display())) } else { Ok(base) }
        });
        match base {
            Err(why) => wrong.push(why),
            Ok(base) => {
                let named: Vec<&String> = base.answer.iter().filter_map(|answer| answer.file.as_ref()).collect();
                for folder in entries(&issuer) {
                    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    if name == "base.toml" || named.contains(&&name) {
                        continue;
                    }
                    match case(&issuer, &name) {
                        Ok(case) => cases.push((base.clone(), case)),
                        Err(why) => wrong.push(why),
                    }
                }
            }
        }
    }
    if wrong.is_empty() { Ok(cases) } else { Err(wrong.join("\n")) }
}

fn case(issuer: &Path, name: &str) -> Result<Case, String> {
    let folder = issuer.join(name);
    let mut case = read::<Case>(&folder.join("case.toml"))?;
    case.name = format!("{}/{name}", issuer.file_name().unwrap_or_default().to_string_lossy());
    let told = |why: String| format!("{}: {why}", case.name);
    let later = case.later.iter_mut().flat_map(|later| &mut later.answer);
    case.answer.iter_mut().chain(later).try_for_each(|answer| answer.complete(&folder)).map_err(told)?;
    let answers = case.answer.iter().chain(case.later.iter().flat_map(|later| &later.answer));
    let named: Vec<PathBuf> = answers.filter_map(|answer| answer.file.as_ref()).map(|file| folder.join(file)).collect();
    match entries(&folder).into_iter().find(|file| !file.ends_with("case.toml") && !named.contains(file)) {
        Some(stray) => Err(format!("{} belongs to no case", stray.display())),
        None if case.sentence.is_empty() || case.row.is_empty() => Err(told("it says nothing".to_owned())),
        None => Ok(case),
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    toml_edit::de::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    entries
}

#[test]
fn a_misspelt_case_is_refused() {
    let good = "sentence = 's'\nrow = 'r'\n[expect]\nasked = [1, 0]\nkind = 'denied'\n";
    let read = |text: String| toml_edit::de::from_str::<Case>(&text).is_ok();
    assert!(read(good.to_owned()));
    for (from, to) in [
        ("row", "rwo"),
        ("kind", "knid"),
        ("'denied'", "'denyed'"),
        ("asked", "aksed"),
        ("[expect]", "[since]\nrevokd = true\n[expect]"),
        ("[expect]", "[[answer]]\npath = '/tea'\nas = 'clsoe'\n[expect]"),
        ("[expect]", "[[never]]\ntxet = 'x'\n[expect]"),
    ] {
        assert!(!read(good.replace(from, to)), "{to}");
    }
}
