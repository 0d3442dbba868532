//! `valetkey env PROFILE`: credentials as a shell, a file or another program reads them.

use super::context::Context;
use super::obtain::{duration, export};
use super::print;
use crate::error::Error;
use crate::export::{Form, to_clear};
use crate::system::environment::variable;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(required_unless_present = "clear")]
    profile: Option<String>,
    /// Who reads them
    #[arg(long, value_name = "FORM", default_value = Form::ALL[0].0, value_parser = forms())]
    format: Form,
    /// Lines that clear whatever an earlier one may have set
    #[arg(long, conflicts_with = "min_valid")]
    clear: bool,
    /// Credentials that are valid for so long at least: 30m, 45m, 1800
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    min_valid: Option<Duration>,
}

const EXAMPLES: &str = r#"How each form is used:
  sh, bash, zsh   eval "$(valetkey env podaac)"
    in a script   keys=$(valetkey env podaac) && eval "$keys"      (an eval of nothing is a success)
  fish            valetkey env podaac --format fish | source
  csh, tcsh       eval "`valetkey env podaac --format csh`"
  PowerShell      valetkey env podaac --format powershell | Out-String | Invoke-Expression
  cmd.exe         for /f "delims=" %i in ('valetkey env podaac --format windows-cmd') do %i
  docker          umask 077; valetkey env podaac --format env-no-export >keys; docker run --env-file keys ..
  a .env file     umask 077; valetkey env podaac --format dotenv >.env
  a file of keys  umask 077; valetkey env podaac --format ini >keys
                  AWS_SHARED_CREDENTIALS_FILE=keys AWS_PROFILE=podaac ..
  cleared         eval "$(valetkey env --clear)"

AWS_PROFILE, which wins in some SDKs, and an S3 that an earlier export set are unset where the form can do that."#;

/// The names of the forms, those of `aws configure export-credentials` among them.
fn forms() -> impl TypedValueParser<Value = Form> {
    let named = Form::ALL.map(|(name, _)| match name {
        "sh" => PossibleValue::new(name).alias("env"),
        "process" => PossibleValue::new(name).alias("process-json"),
        "container" => PossibleValue::new(name).alias("container-json"),
        name => PossibleValue::new(name),
    });
    PossibleValuesParser::new(named).map(|word| {
        let known = Form::ALL.into_iter().find(|(name, _)| *name == word.trim_end_matches("-json"));
        known.map_or(Form::ALL[0].1, |(_, form)| form)
    })
}

/// A form that has nothing to clear is a mistake of usage.
pub(super) fn judge(args: &Args) -> Result<(), Error> {
    match args.format {
        _ if !args.clear => Ok(()),
        Form::Shell(shell) if shell.clear(&[]).is_some() => Ok(()),
        _ => Err(Error::configuration("this form is no shell's, and clears nothing", "leave out --clear or --format")),
    }
}

pub(super) async fn run(args: &Args) -> Result<(), Error> {
    if let (true, Form::Shell(shell)) = (args.clear, args.format) {
        return print(&shell.clear(&to_clear(&variable)).unwrap_or_default());
    }
    let profile = args.profile.as_deref().unwrap_or_default();
    export(&Context::new()?, profile, args.min_valid, |export| print(&export.text(args.format, &variable)?)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_aws_cli_are_taken_too() {
        #[derive(clap::Parser)]
        struct Words {
            #[command(flatten)]
            args: Args,
        }
        for (word, form) in [
            ("env", Form::ALL[0].1),
            ("process", Form::Process),
            ("process-json", Form::Process),
            ("container-json", Form::Container),
            ("fish", Form::ALL[2].1),
        ] {
            let read = <Words as clap::Parser>::try_parse_from(["env", "podaac", "--format", word]).unwrap();
            assert_eq!(read.args.format, form, "{word}");
        }
    }
}
