//! Where things are: the socket, the keyring, and whether they stay when the user logs out.

use super::line::Line;
use crate::cli::context::{Context, UNATTENDED};
use crate::error::Error;
use crate::files::PrivateDir;
use crate::ports::Keyring;
use crate::system::environment::variable;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

pub(super) async fn look(context: &Context) -> Vec<Line> {
    let mut lines = Vec::new();
    match context.socket() {
        Err(error) => lines.push(Line::of_error("socket", &error)),
        Ok(socket) => {
            lines.push(of_socket(
                &socket,
                std::fs::symlink_metadata(&socket).map(|meta| meta.file_type().is_socket()).ok(),
            ));
            if let Err(error) = PrivateDir::open(&context.paths.state).and_then(|state| may_write(&state)) {
                lines.push(Line::of_error("state", &error));
            }
            let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_default();
            let lingers = !user.is_empty() && Path::new("/var/lib/systemd/linger").join(&user).exists();
            lines.extend(at_logout(&socket, lingers));
        }
    }
    if let Ok(config) = context.config() {
        lines.push(match context.keyring(&config, UNATTENDED).describe().await {
            Ok(place) => of_keyring(&place),
            Err(error) => Line::of_error("keyring", &error),
        });
    }
    lines
}

/// `is_one`: whether what is there is a socket.
fn of_socket(socket: &Path, is_one: Option<bool>) -> Line {
    let place = socket.display().to_string();
    match is_one {
        Some(false) => {
            let fix = format!("move it away: mv {place} {place}.was");
            Line::wrong("socket", format!("{place} is there and is no socket: no daemon can start"), fix)
        }
        _ => Line::fine("socket", place),
    }
}

fn may_write(state: &PrivateDir) -> Result<(), Error> {
    const PROBE: &str = "probe";
    let written = state.write(PROBE, b"").and_then(|()| state.remove(PROBE));
    written.map_err(|error| Error::disk("write to", state.path(), &error))
}

/// Below /run/user a socket goes with its directory when the last session ends.
fn at_logout(socket: &Path, lingers: bool) -> Option<Line> {
    (socket.starts_with("/run/user") && !lingers).then(|| {
        Line::note(
            "linger",
            "at your logout the socket's directory goes, and a daemon may; jobs that stay then ask by themselves",
            "for a daemon that stays: loginctl enable-linger",
        )
    })
}

fn of_keyring(place: &str) -> Line {
    if place.contains(", locked") {
        return Line::wrong("keyring", place, "unlock the desktop keyring");
    }
    Line::fine("keyring", place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_goes_at_logout_is_noted_once_there_is_no_lingering() {
        let socket = Path::new("/run/user/1000/valetkey/valetkey.sock");
        assert!(at_logout(socket, false).is_some_and(|line| line.says("enable-linger") && !line.is_wrong()));
        assert_eq!(at_logout(socket, true), None);
        assert_eq!(at_logout(Path::new("/home/ada/.local/state/x.sock"), false), None);
    }

    #[test]
    fn what_stands_in_the_sockets_place_is_wrong() {
        let socket = Path::new("/run/x.sock");
        assert!(of_socket(socket, Some(false)).is_wrong());
        assert!(of_socket(socket, Some(true)).is_fine() && of_socket(socket, None).is_fine());
    }

    #[test]
    fn a_locked_keyring_is_wrong() {
        assert!(of_keyring("service (Secret Service, locked), not pinned").is_wrong());
        assert!(of_keyring("service (Secret Service, unlocked)").is_fine());
    }
}
