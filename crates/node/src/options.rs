//! Settings of the configuration, in the types of the fronts and of the listeners.

use config::Config;
use profile::Habit;

pub(crate) fn vaults(config: &Config) -> enceeper::Options {
    let section = &config.enceeper;
    enceeper::Options {
        base_path: section.base_path.clone(),
        app_version: section.app_version.clone(),
        api_deprecated: section.api_deprecated.clone(),
    }
}

pub(crate) fn compat(config: &Config) -> profile::Compat {
    let habit = |served: bool| {
        if served {
            Habit::Served
        } else {
            Habit::Refused
        }
    };
    let section = &config.profile.compat;
    profile::Compat {
        legacy_paths: habit(section.legacy_paths),
        get_token_requests: habit(section.get_token_requests),
    }
}

pub(crate) fn limits(config: &Config) -> web::Limits {
    let server = &config.server;
    web::Limits {
        header_bytes: server.header_bytes,
        header_seconds: server.header_seconds,
        request_seconds: server.request_seconds,
        max_connections: server.max_connections,
        max_connections_per_network: server.max_connections_per_network,
        drain_seconds: server.drain_seconds,
        ..web::Limits::default()
    }
}
