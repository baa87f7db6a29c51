//! From what a row says of its picture to a file below the picture root.
//!
//! Nothing is fetched here: of a web address its path counts, as the name of a file in a local mirror.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::Error;
use super::walk::{EXTENSIONS, Walk, is_picture_name};

/// More files than any catalogue has pictures; beyond it the root is likely somebody's whole disk.
const MOST_FILES: usize = 5_000_000;

/// The folder below which pictures lie.
pub(super) struct PictureRoot {
    /// Absolute, so that its pictures are found again from wherever a search is run.
    root: PathBuf,
    /// As it was given; the catalogue may name it so.
    given: PathBuf,
    /// Without links, so that paths can be held against it.
    real: PathBuf,
    allow_outside: bool,
    /// Every picture below the root by its name; read once, when a path alone does not lead to a file.
    index: Option<Index>,
}

/// Lower-case stems, each with the relative paths that have it.
type Index = HashMap<Box<str>, Vec<PathBuf>>;

impl PictureRoot {
    pub fn new(root: &Path, allow_outside: bool) -> Result<Self, Error> {
        let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let io = |source| Error::Io { path: root.to_owned(), source };
        let real = root.canonicalize().map_err(io)?;
        // A file given for a folder is told at once, not once a row.
        std::fs::read_dir(&real).map_err(io)?;
        let given = root.to_owned();
        let root = std::path::absolute(root).map_err(io)?;
        Ok(PictureRoot { root, given, real, allow_outside, index: None })
    }

    /// The file that `value` means, or the reason for the ledger why there is none.
    ///
    /// In turn: the path as written; the path percent-decoded, with backslashes turned; the only picture
    /// below the root whose path ends like that, where a missing extension is any. Of several pictures
    /// separated by commas, semicolons or bars the first counts.
    pub fn find(&mut self, value: &str) -> Result<Result<PathBuf, String>, Error> {
        let value = value.trim();
        let first = value.split([',', ';', '|']).map(str::trim).find(|piece| !piece.is_empty());
        let mut outcome = self.find_one(value)?;
        if let Some(first) = first
            && outcome.is_err()
            && first != value
        {
            outcome = self.find_one(first)?.or(outcome);
        }
        Ok(outcome)
    }

    fn find_one(&mut self, value: &str) -> Result<Result<PathBuf, String>, Error> {
        let mut barest = None;
        for spelling in spellings(value) {
            let Ok(relative) = self.within(Path::new(spelling.as_ref())) else {
                return Ok(Err(self.outside(value)));
            };
            let path = self.root.join(&relative);
            if path.is_file() {
                return Ok(self.checked(path, value));
            }
            // `--images photos/` and a cell of `photos/x.jpg` mean one folder.
            if let Some(folder) = self.real.file_name()
                && let Ok(inner) = relative.strip_prefix(folder)
                && self.root.join(inner).is_file()
            {
                return Ok(self.checked(self.root.join(inner), value));
            }
            barest = Some(relative);
        }
        match barest {
            Some(relative) => self.find_by_name(&relative, value),
            None => Ok(Err(self.missing(value))),
        }
    }

    fn find_by_name(
        &mut self,
        wanted: &Path,
        value: &str,
    ) -> Result<Result<PathBuf, String>, Error> {
        if self.index.is_none() {
            self.index = Some(index(&self.root, MOST_FILES)?);
        }
        let named = is_picture_name(wanted);
        let stem = if named { wanted.file_stem() } else { wanted.file_name() };
        let stem = stem.unwrap_or_default().to_string_lossy();
        let folder = wanted.parent().unwrap_or(Path::new(""));
        let fits = |path: &&PathBuf| {
            let same_kind = !named || rank(path) == rank(wanted);
            same_kind && path.parent().is_some_and(|parent| parent.ends_with(folder))
        };
        let known = self.index.as_ref().and_then(|index| index.get(stem.to_lowercase().as_str()));
        let mut fitting: Vec<_> = known.into_iter().flatten().filter(fits).collect();
        // Of pictures here and further down, the one here is meant.
        if fitting.iter().any(|path| path.parent() == Some(folder)) {
            fitting.retain(|path| path.parent() == Some(folder));
        }
        // Names that differ in case only: the exact one counts.
        if fitting.iter().any(|path| path.file_stem() == Some(stem.as_ref().as_ref())) {
            fitting.retain(|path| path.file_stem() == Some(stem.as_ref().as_ref()));
        }
        let Some(best) = fitting.iter().min_by_key(|path| rank(path)) else {
            return Ok(Err(self.missing(value)));
        };
        // One picture in several formats is one picture; two folders may hold two.
        if let Some(other) = fitting.iter().find(|path| path.parent() != best.parent()) {
            return Ok(Err(format!(
                "picture {value:?} may be {} or {} below {}: write the path from there",
                best.display(),
                other.display(),
                self.root.display()
            )));
        }
        Ok(self.checked(self.root.join(best), value))
    }

    /// `path` relative to the root, without dots; an error where it leaves the root and may not.
    fn within(&self, path: &Path) -> Result<PathBuf, ()> {
        if self.allow_outside {
            return Ok(path.to_owned());
        }
        let path = path
            .strip_prefix(&self.given)
            .or_else(|_| path.strip_prefix(&self.root))
            .or_else(|_| path.strip_prefix(&self.real))
            .unwrap_or(path);
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                Component::ParentDir if clean.pop() => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(()),
            }
        }
        Ok(clean)
    }

    /// A link within the root may lead out of it, or nowhere.
    fn checked(&self, path: PathBuf, value: &str) -> Result<PathBuf, String> {
        match path.canonicalize() {
            Ok(real) if self.allow_outside || real.starts_with(&self.real) => Ok(path),
            Ok(_) => Err(self.outside(value)),
            Err(_) => Err(self.missing(value)),
        }
    }

    fn outside(&self, value: &str) -> String {
        format!(
            "picture {value:?} lies outside {}: move it there, name its folder with --images, or allow it \
             with --allow-outside",
            self.root.display()
        )
    }

    fn missing(&self, value: &str) -> String {
        let root = self.root.display();
        if address(value).is_some() {
            return format!(
                "picture {value:?} is not in {root}: put it there, name the folder that mirrors its site with \
                 --mirror, or have it fetched with --fetch"
            );
        }
        format!(
            "picture {value:?} is not in {root}: put it there, or name its folder with --images"
        )
    }
}

/// The paths that `value` may be meant as, the last one being the barest.
fn spellings(value: &str) -> Vec<Cow<'_, str>> {
    let mut spellings = Vec::new();
    match address(value) {
        Some(host_and_path) => {
            let decoded = percent_decoded(host_and_path);
            let (_, path) = decoded.split_once('/').unwrap_or(("", &decoded));
            // With its host first: two sites may use one path.
            spellings.push(Cow::Owned(decoded.clone().into_owned()));
            spellings.push(Cow::Owned(path.to_owned()));
            let last = path.rsplit('/').next().unwrap_or_default();
            spellings.push(Cow::Owned(last.to_owned()));
        }
        None => {
            spellings.push(Cow::Borrowed(value));
            if value.contains(['%', '\\']) {
                spellings.push(Cow::Owned(percent_decoded(value).replace('\\', "/")));
            }
        }
    }
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

/// Host and path of a web address, without its query.
pub(super) fn address(value: &str) -> Option<&str> {
    let at = ["http://", "https://", "//"].iter().find_map(|scheme| {
        let start = value.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(scheme.len())
    })?;
    value[at..].split(['?', '#']).next()
}

/// `%20` and its like as the bytes they stand for; unchanged where those are no text.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let hex = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        let byte = match tail {
            [high, low, after @ ..] if *first == b'%' => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        match byte {
            Some((byte, after)) => {
                decoded.push(byte);
                rest = after;
            }
            None => decoded.push(*first),
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Where a path's extension stands among the usual ones; the spellings of JPEG's are one.
fn rank(path: &Path) -> usize {
    let extension = path.extension().unwrap_or_default();
    match EXTENSIONS.iter().position(|known| extension.eq_ignore_ascii_case(known)) {
        Some(at) if ["jpeg", "jpe", "jfif"].contains(&EXTENSIONS[at]) => 0,
        Some(at) => at,
        None => EXTENSIONS.len(),
    }
}

fn index(root: &Path, most: usize) -> Result<Index, Error> {
    let mut index = Index::new();
    for (count, path) in Walk::new(root).enumerate() {
        if count == most {
            return Err(Error::TooManyFiles { root: root.to_owned(), limit: most });
        }
        let path = path?;
        if !is_picture_name(&path) {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        index.entry(stem.into_boxed_str()).or_default().push(path);
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn shop(files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        folder
    }

    /// The path found, relative to the root, or the reason.
    fn find(folder: &TempDir, value: &str) -> Result<String, String> {
        let mut root = PictureRoot::new(folder.path(), false).unwrap();
        let here = folder.path();
        let name = |path: PathBuf| path.strip_prefix(here).unwrap().to_str().unwrap().to_owned();
        root.find(value).unwrap().map(name).map_err(|e| e.replace(here.to_str().unwrap(), "ROOT"))
    }

    #[test]
    fn paths_and_names_lead_to_files() {
        let folder = shop(&[
            "images/1163.jpg",
            "010/0108775015.jpg",
            "my shoe.png",
            "50%25.gif",
            "a.b.jpg",
            "big/IMG_7.JPEG",
            "both/hat.png",
            "both/hat.jpg",
            ".hidden/9.jpg",
            "x;y.jpg",
        ]);
        for (value, path) in [
            ("images/1163.jpg", "images/1163.jpg"),
            ("./images//1163.jpg", "images/1163.jpg"),
            ("images/../images/1163.jpg", "images/1163.jpg"),
            ("images\\1163.jpg", "images/1163.jpg"),
            ("images/1163", "images/1163.jpg"),
            (" 1163 ", "images/1163.jpg"),
            ("1163.jpg", "images/1163.jpg"),
            ("1163.jpeg", "images/1163.jpg"),
            ("0108775015", "010/0108775015.jpg"),
            ("my%20shoe.png", "my shoe.png"),
            ("50%25.gif", "50%25.gif"),
            ("a.b", "a.b.jpg"),
            ("img_7.jpg", "big/IMG_7.JPEG"),
            ("hat", "both/hat.jpg"),
            ("hat.png", "both/hat.png"),
            ("x;y.jpg", "x;y.jpg"),
            ("images/1163.jpg | none.jpg", "images/1163.jpg"),
            ("images/1163.jpg, my shoe.png", "images/1163.jpg"),
            ("https://cdn.example/p/1163.jpg?width=200", "images/1163.jpg"),
            ("HTTPS://cdn.example/images/1163.jpg#top", "images/1163.jpg"),
            ("//cdn.example/my%20shoe.png", "my shoe.png"),
            ("https://a.example/none.jpg,https://a.example/1163.jpg", "images/1163.jpg"),
        ] {
            assert_eq!(find(&folder, value).as_deref(), Ok(path), "{value:?}");
        }
        let absolute = folder.path().join("images/1163.jpg");
        assert_eq!(find(&folder, absolute.to_str().unwrap()).as_deref(), Ok("images/1163.jpg"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let folder = shop(&["images/1163.jpg", ".hidden/9.jpg"]);
        assert_eq!(
            find(&folder, "images/1164.jpg").unwrap_err(),
            "picture \"images/1164.jpg\" is not in ROOT: put it there, or name its folder with --images"
        );
        assert_eq!(
            find(&folder, "https://cdn.example/1164.jpg").unwrap_err(),
            "picture \"https://cdn.example/1164.jpg\" is not in ROOT: put it there, name the folder that mirrors \
             its site with --mirror, or have it fetched with --fetch"
        );
        for value in
            ["9", "1163.png", "other/1163.jpg", "https://cdn.example/", "nul\0.jpg", ",", "images"]
        {
            assert!(find(&folder, value).is_err(), "{value:?}");
        }
    }

    /// Guessing between two would show a product with another's picture.
    #[test]
    fn two_folders_with_one_name_are_told() {
        let folder = shop(&["train/1.jpg", "test/1.jpg"]);
        assert_eq!(
            find(&folder, "1").unwrap_err(),
            "picture \"1\" may be test/1.jpg or train/1.jpg below ROOT: write the path from there"
        );
        assert_eq!(find(&folder, "train/1").as_deref(), Ok("train/1.jpg"));
        let folder = shop(&["train/1.jpg", "1.jpg"]);
        assert_eq!(find(&folder, "./1").as_deref(), Ok("1.jpg"));
    }

    #[test]
    fn no_path_leaves_the_root_unless_allowed() {
        let folder = shop(&["shop/a.jpg", "secret.jpg"]);
        let shop = folder.path().join("shop");
        let secret = folder.path().join("secret.jpg");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&secret, shop.join("link.jpg")).unwrap();
        let found =
            |value: &str, allow| PictureRoot::new(&shop, allow).unwrap().find(value).unwrap();

        let told = format!(
            "picture \"../secret.jpg\" lies outside {}: move it there, name its folder with --images, or \
             allow it with --allow-outside",
            shop.display()
        );
        assert_eq!(found("../secret.jpg", false), Err(told));
        for value in [
            "a/../../secret.jpg",
            "%2e%2e/secret.jpg",
            "..\\secret.jpg",
            "https://x.example/%2e%2e/secret.jpg",
            secret.to_str().unwrap(),
            #[cfg(unix)]
            "link.jpg",
            #[cfg(unix)]
            "link",
        ] {
            let refused = found(value, false).unwrap_err();
            assert!(refused.contains("lies outside"), "{value}: {refused}");
        }
        for value in ["../secret.jpg", secret.to_str().unwrap()] {
            assert!(found(value, true).unwrap().ends_with("secret.jpg"), "{value}");
        }
        #[cfg(unix)]
        assert!(found("link.jpg", true).is_ok());
    }

    #[test]
    fn a_root_that_is_a_whole_disk_is_refused() {
        let folder = shop(&["1.jpg", "2.jpg", "3.jpg"]);
        assert!(index(folder.path(), 3).is_ok());
        let refused = index(folder.path(), 2).unwrap_err().to_string();
        assert!(refused.starts_with("more than 2 files below"), "{refused}");
        assert!(PictureRoot::new(&folder.path().join("1.jpg"), false).is_err());
    }
}
