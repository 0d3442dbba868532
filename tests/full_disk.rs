//! F12: a full disk below the state directory costs a warning in `status`, not an answer.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod common;

use common::small_disk::SmallDisk;
use common::{Issuer, Place, credentials, refused, stderr};
use valetkey::standin::{Behaviour, Standin};

#[test]
fn f12_a_full_disk_costs_a_warning_and_not_an_answer() {
    for autostart in [true, false] {
        let (issuer, place) = (Issuer::start(), Place::new());
        let Some(disk) = SmallDisk::mount(place.path().join("state")) else { return };
        place.configure(&issuer.earthdata_config(&format!("keyring = \"file\"\nautostart = {autostart}")));
        let login = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
        assert!(login.status.success(), "{}", stderr(&login));
        disk.fill();

        // A failure that cannot be put on record is told all the same.
        issuer.standin.behave_once(Standin::TEA, Behaviour::TooManyRequests { retry_after: 0 });
        refused(&place.helper("podaac"), 5);
        if autostart {
            let status = place.status();
            assert!(status["troubles"]["failures"].as_str().is_some_and(|text| text.contains("No space")), "{status}");
            common::until("the issuer's rest to be over", || place.helper("podaac").status.success());
        }
        let first = credentials(&place.helper("podaac"));
        if autostart {
            assert_eq!(credentials(&place.helper("podaac")), first, "memory serves");
            let table = place.ok(&["status"]);
            assert!(table.contains("warning  cache") && table.contains("No space"), "{table}");
            place.ok(&["stop"]);
        }

        disk.make_room();
        let after = credentials(&place.helper("podaac"));
        place.command(&["stop"]);
        assert_eq!(credentials(&place.helper("podaac")), after, "with room again, the cache is back");
        place.command(&["stop"]);
    }
}
