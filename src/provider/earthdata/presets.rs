//! The endpoints of NASA's archives, all in us-west-2. Each one's credentials open only its own buckets.

use super::super::Preset;

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "nsidc",
        aliases: &["NSIDC DAAC", "NSIDC_CPRD"],
        settings: &[("endpoint", "https://data.nsidc.earthdatacloud.nasa.gov/s3credentials")],
        opens: "nsidc-cumulus-prod-protected, -public",
    },
    Preset {
        name: "podaac",
        aliases: &["POCLOUD"],
        settings: &[("endpoint", "https://archive.podaac.earthdata.nasa.gov/s3credentials")],
        opens: "podaac-ops-cumulus-protected, -public, -docs",
    },
    Preset {
        name: "podaac-swot",
        aliases: &["swot"],
        settings: &[("endpoint", "https://archive.swot.podaac.earthdata.nasa.gov/s3credentials")],
        opens: "podaac-swot-ops-cumulus-protected, -public",
    },
    Preset {
        name: "lpdaac",
        aliases: &["LPCLOUD"],
        settings: &[("endpoint", "https://data.lpdaac.earthdatacloud.nasa.gov/s3credentials")],
        opens: "lp-prod-protected, -public, lp-protected, -public",
    },
    Preset {
        name: "gesdisc",
        aliases: &[],
        settings: &[("endpoint", "https://data.gesdisc.earthdata.nasa.gov/s3credentials")],
        opens: "gesdisc-cumulus-prod-protected",
    },
    Preset {
        name: "ghrc",
        aliases: &["GHRC_DAAC"],
        settings: &[("endpoint", "https://data.ghrc.earthdata.nasa.gov/s3credentials")],
        opens: "ghrcw-protected",
    },
    Preset {
        name: "ornldaac",
        aliases: &["ORNL_CLOUD"],
        settings: &[("endpoint", "https://data.ornldaac.earthdata.nasa.gov/s3credentials")],
        opens: "ornl-cumulus-prod-protected, -public",
    },
    Preset {
        name: "asdc",
        aliases: &["LARC_CLOUD"],
        settings: &[("endpoint", "https://data.asdc.earthdata.nasa.gov/s3credentials")],
        opens: "asdc-prod-protected, asdc2-prod-protected",
    },
    Preset {
        name: "laads",
        aliases: &["LAADS DAAC"],
        settings: &[("endpoint", "https://data.laadsdaac.earthdatacloud.nasa.gov/s3credentials")],
        opens: "prod-lads",
    },
    Preset {
        name: "obdaac",
        aliases: &["OB_CLOUD"],
        settings: &[("endpoint", "https://obdaac-tea.earthdatacloud.nasa.gov/s3credentials")],
        opens: "ob-cumulus-prod-public",
    },
    Preset {
        name: "asf-sentinel1",
        aliases: &[],
        settings: &[("endpoint", "https://sentinel1.asf.alaska.edu/s3credentials")],
        opens: "asf-ngap2w-p-s1-*",
    },
    Preset {
        name: "asf",
        aliases: &["ASF DAAC"],
        settings: &[("endpoint", "https://cumulus.asf.alaska.edu/s3credentials")],
        opens: "asf-cumulus-prod-*",
    },
    Preset {
        name: "asf-nisar",
        aliases: &["nisar"],
        settings: &[("endpoint", "https://nisar.asf.earthdatacloud.nasa.gov/s3credentials")],
        opens: "sds-n-cumulus-prod-nisar-*",
    },
    Preset {
        name: "csda",
        aliases: &[],
        settings: &[("endpoint", "https://data.csdap.earthdata.nasa.gov/s3credentials")],
        opens: "csda-cumulus-prod-protected-5047",
    },
    Preset {
        name: "harmony",
        aliases: &[],
        settings: &[("endpoint", "https://harmony.earthdata.nasa.gov/cloud-access")],
        opens: "Harmony's output buckets",
    },
];
