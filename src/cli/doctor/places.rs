//! Where things are: the socket, the keyring, and whether they stay when the user logs out.

use super::line::Line;
use crate::cli::context::{Context, UNATTENDED};
use crate::ports::Keyring;
use crate::system::environment::variable;
use std::path::Path;

pub(super) async fn look(context: &Context) -> Vec<Line> {
    let mut lines = Vec::new();
    match context.socket() {
        Err(error) => lines.push(Line::of_error("socket", &error)),
        Ok(socket) => {
            lines.push(Line::fine("socket", socket.display().to_string()));
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
    fn a_locked_keyring_is_wrong() {
        assert!(of_keyring("service (Secret Service, locked), not pinned").is_wrong());
        assert!(of_keyring("service (Secret Service, unlocked)").is_fine());
    }
}
