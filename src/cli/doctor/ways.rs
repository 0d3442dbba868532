//! The way to each issuer: names, proxy, certificates, and what its clock says. One request each, without any secret.

use super::line::Line;
use super::profiles::skew;
use crate::cli::context::{Context, UNATTENDED};
use crate::config::{Config, Profile};
use crate::ports::{Outside, Request, Route};
use crate::settings::{Key, Settings, Shape};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const LIMIT: Duration = Duration::from_secs(8);

pub(super) async fn look(context: &Context, config: &Config, chosen: &[&Profile]) -> Vec<Line> {
    let outside = context.outside(context.keyring(config, UNATTENDED));
    // At once: each may take its whole time.
    let all = ways(config, chosen).into_values().map(|(url, route)| reach(&outside, url, route));
    let tasks: Vec<_> = all.map(tokio::spawn).collect();
    let mut lines = Vec::new();
    for task in tasks {
        lines.extend(task.await.unwrap_or_default());
    }
    lines
}

/// Each origin once, by whichever way it is reached.
fn ways(config: &Config, chosen: &[&Profile]) -> BTreeMap<String, (Url, Route)> {
    let mut ways = BTreeMap::new();
    let mut add = |urls: Vec<Url>, route: Route| {
        for mut url in urls {
            url.set_path("/");
            url.set_query(None);
            ways.entry(format!("{url} {route:?}")).or_insert((url, route.clone()));
        }
    };
    for profile in chosen {
        add(profile.provider.asks().into_iter().collect(), profile.settings.route());
        if let Some(login) = config.logins.get(&profile.login) {
            add(urls(&login.settings, login.kind.keys), login.settings.route());
        }
    }
    ways
}

fn urls(settings: &Settings, keys: &[Key]) -> Vec<Url> {
    keys.iter().filter(|key| key.shape == Shape::Url).filter_map(|key| settings.url(key.name)).collect()
}

fn reach(outside: &Outside, url: Url, route: Route) -> impl Future<Output = Vec<Line>> + Send + 'static {
    let (http, clock) = (outside.http.clone(), outside.clock.clone());
    async move {
        let host = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let by = route.proxy.as_ref().map(|proxy| format!(" by {proxy}")).unwrap_or_default();
        let request =
            Request { method: "GET", url, headers: Vec::new(), body: None, limit: LIMIT, route: route.clone() };
        match http.send(request).await {
            Ok(response) => {
                let mut lines = vec![Line::fine(&host, format!("answers{by}"))];
                let off = response.date().map(|date| date.as_second() - clock.now().wall.as_second());
                lines.extend(off.and_then(|off| skew(&host, off)));
                lines
            }
            Err(error) => vec![Line::of_error(&host, &error.about(&host, &route))],
        }
    }
}
