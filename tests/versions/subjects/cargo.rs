// The argument is `read` or `compare`, standard input texts that each end with a NUL. Writes a line
// for each: 0 or 1 for a prerelease, and the version, or nothing where it is refused; or a line for
// each two: their order. All without build metadata, which the crate orders and the registry does not.
use semver::{BuildMetadata, Error, Version};
use std::io::{stdin, Read};

fn parse(text: &str) -> Result<Version, Error> {
    let build = BuildMetadata::EMPTY;
    Version::parse(text).map(|version| Version { build, ..version })
}

fn main() {
    let mut input = String::new();
    stdin().read_to_string(&mut input).unwrap();
    let texts: Vec<&str> = input.split_terminator('\0').collect();
    let mut output = String::new();
    if std::env::args().nth(1).unwrap() == "read" {
        for text in texts {
            if let Ok(version) = parse(text) {
                output += &format!("{} {}", !version.pre.is_empty() as u8, version);
            }
            output.push('\n');
        }
    } else {
        for pair in texts.chunks(2) {
            let order = parse(pair[0]).unwrap().cmp(&parse(pair[1]).unwrap());
            output += &format!("{}\n", order as i8);
        }
    }
    print!("{}", output);
}
