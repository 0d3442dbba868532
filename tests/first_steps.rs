//! The main job on real processes: a helper, a daemon that it starts, one call to the issuer.

mod common;

use common::{Issuer, Place, credentials};
use valetkey::standin::Standin;

#[test]
fn a_cold_helper_starts_a_daemon_and_a_warm_one_asks_nobody() {
    let (issuer, place) = (Issuer::start(), Place::new());
    place.configure(&issuer.earthdata_config("keyring = \"file\""));
    let signed_in = place.login("earthdata", &issuer.standin.mint_token("ada", 3600));
    assert!(signed_in.status.success(), "{}", common::stderr(&signed_in));
    let asked = issuer.standin.count(Standin::TEA);

    let cold = credentials(&place.helper("podaac"));
    assert_eq!(cold["Version"], 1);
    assert_eq!(credentials(&place.helper("podaac")), cold);
    assert_eq!(issuer.standin.count(Standin::TEA), asked + 1);
    assert_eq!(place.daemons().len(), 1);
}
