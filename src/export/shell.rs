//! Lines that set or clear variables, as each shell and each reader of such files wants them quoted.

use super::variables::Variable;
use crate::error::Error;

/// Who reads the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// sh, bash, zsh: `eval "$(valetkey env PROFILE)"`
    Sh,
    /// The same without `export`, as `docker run --env-file` reads them.
    NoExport,
    /// `valetkey env PROFILE --format fish | source`
    Fish,
    /// csh and tcsh: ``eval "`valetkey env PROFILE --format csh`"``
    Csh,
    /// `valetkey env PROFILE --format powershell | Out-String | Invoke-Expression`
    PowerShell,
    /// `for /f "delims=" %i in ('..') do %i`
    WindowsCmd,
    /// What libraries read from a file `.env`.
    Dotenv,
}

impl Shell {
    /// A line for each variable.
    pub fn set(self, variables: &[Variable]) -> Result<String, Error> {
        variables.iter().map(|(name, value)| Ok(self.line(name, value)? + "\n")).collect()
    }

    fn line(self, name: &str, value: &str) -> Result<String, Error> {
        Ok(match self {
            Shell::Sh => format!("export {name}={}", quoted_for_sh(value)),
            Shell::NoExport | Shell::Dotenv => format!("{name}={}", quoted_for_sh(value)),
            Shell::Fish if is_plain(value) => format!("set -gx {name} {value}"),
            Shell::Fish => format!("set -gx {name} '{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
            // Its eval sees all lines as one. Not even quotes keep it from reading a ! as its history.
            Shell::Csh => format!("setenv {name} {};", quoted_for_sh(value).replace('!', "\\!")),
            Shell::PowerShell => format!("$Env:{name}='{}'", value.replace('\'', "''")),
            Shell::WindowsCmd if is_plain(value) => format!("set {name}={value}"),
            // Inside quotes these two still mean something, and nothing takes that from them.
            Shell::WindowsCmd if value.contains(['"', '%', '!']) => {
                let fix = "take another --format: powershell can write it";
                return Err(Error::configuration(format!("{name} cannot be written for cmd.exe"), fix));
            }
            Shell::WindowsCmd => format!("set \"{name}={value}\""),
        })
    }

    /// Lines that clear what any export may have set; None for what is no shell.
    pub fn clear(self, names: &[&str]) -> Option<String> {
        let each = |line: &dyn Fn(&str) -> String| names.iter().map(|name| line(name) + "\n").collect();
        match self {
            Shell::Sh => Some(format!("unset {}\n", names.join(" "))),
            Shell::Fish => Some(format!("set -e {}\n", names.join(" "))),
            Shell::Csh => Some(each(&|name| format!("unsetenv {name};"))),
            Shell::PowerShell => Some(each(&|name| format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"))),
            Shell::WindowsCmd => Some(each(&|name| format!("set {name}="))),
            Shell::NoExport | Shell::Dotenv => None,
        }
    }
}

/// Whether no shell makes anything of it: then it stands as it is, which readers that know no quotes need.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:+=@,-".contains(&b))
}

fn quoted_for_sh(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::to_clear;
    use std::process::Command;

    const HOSTILE: &str = r#"a'b"c$HOME`id`\x;&|<>(*)~#^"#;

    fn lines(shell: Shell, value: &str) -> String {
        shell.set(&[("AWS_SECRET_ACCESS_KEY", value.to_owned())]).unwrap()
    }

    #[test]
    fn what_is_plain_stands_as_it_is() {
        let plain = "wJal/rXUt+nFEMI:K7MDENG==";
        assert_eq!(lines(Shell::Sh, plain), format!("export AWS_SECRET_ACCESS_KEY={plain}\n"));
        assert_eq!(lines(Shell::NoExport, plain), format!("AWS_SECRET_ACCESS_KEY={plain}\n"));
        assert_eq!(lines(Shell::Dotenv, plain), format!("AWS_SECRET_ACCESS_KEY={plain}\n"));
        assert_eq!(lines(Shell::Fish, plain), format!("set -gx AWS_SECRET_ACCESS_KEY {plain}\n"));
        assert_eq!(lines(Shell::PowerShell, plain), format!("$Env:AWS_SECRET_ACCESS_KEY='{plain}'\n"));
        assert_eq!(lines(Shell::WindowsCmd, plain), format!("set AWS_SECRET_ACCESS_KEY={plain}\n"));
    }

    #[test]
    fn s48_a_real_shell_reads_back_what_could_have_been_a_command() {
        for value in [HOSTILE, "", " a  b ", "-n", "~"] {
            for shell in [Shell::Sh, Shell::NoExport] {
                let script = format!("{}printf %s \"$AWS_SECRET_ACCESS_KEY\"", lines(shell, value));
                let output = Command::new("sh").args(["-c", &script]).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{shell:?}");
            }
        }
    }

    #[test]
    fn s48_fish_and_powershell_know_their_own_quotes() {
        assert_eq!(lines(Shell::Fish, r"a\b'c"), "set -gx AWS_SECRET_ACCESS_KEY 'a\\\\b\\'c'\n");
        assert_eq!(lines(Shell::Csh, "a'b!"), "setenv AWS_SECRET_ACCESS_KEY 'a'\\''b\\!';\n");
        assert_eq!(lines(Shell::PowerShell, "a'b"), "$Env:AWS_SECRET_ACCESS_KEY='a''b'\n");
        assert_eq!(lines(Shell::WindowsCmd, "a&b"), "set \"AWS_SECRET_ACCESS_KEY=a&b\"\n");
        for bad in ["a%b", "a\"b"] {
            assert!(Shell::WindowsCmd.set(&[("A", bad.to_owned())]).is_err(), "{bad}");
        }
    }

    #[test]
    fn clearing_names_every_variable_that_may_have_been_set() {
        let all = to_clear(&|_| None);
        for shell in [Shell::Sh, Shell::Fish, Shell::Csh, Shell::PowerShell, Shell::WindowsCmd] {
            let text = shell.clear(&all).unwrap();
            assert!(all.iter().all(|name| text.contains(name)), "{shell:?}");
        }
        assert_eq!(Shell::Dotenv.clear(&all), None);
        let cleared = Shell::Sh.clear(&all).unwrap();
        let script = format!("AWS_REGION=x; {cleared}printf %s \"${{AWS_REGION-gone}}\"");
        assert_eq!(Command::new("sh").args(["-c", &script]).output().unwrap().stdout, b"gone");
    }
}
