//! The surface as the executable mounts it, and its configuration names.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use domain::Keeper;
use domain::policy::Policy;
use domain::time::days;

/// The routes, with this surface's answer to unknown paths.
pub(crate) fn routes(keeper: Arc<Keeper>) -> Router {
    photon::routes(keeper).fallback(|| async { photon::not_found() })
}

/// Applies one line of configuration.
pub(crate) fn policy(policy: &mut Policy, name: &str, value: &str) -> bool {
    let keys = &mut policy.guarded_key;
    if name == "photon.store_addresses" {
        keys.store_addresses = value == "true";
        return ["true", "false"].contains(&value);
    }
    let Ok(number) = value.parse() else {
        return false;
    };
    match name {
        "photon.max_failures" => keys.guesses.failures = number,
        "photon.window_days" => keys.guesses.window = days(number.into()),
        "photon.max_failures_in_a_row" => keys.guesses.in_a_row = number,
        "photon.lock_days" => keys.lock = days(number.into()),
        "photon.code_ttl_seconds" => keys.code_life = Duration::from_secs(number.into()),
        "photon.sends_per_user_hour" => keys.sends_per_contact[0].count = number,
        "photon.sends_per_user_day" => keys.sends_per_contact[1].count = number,
        "photon.sends_per_address_day" => keys.sends_per_address.count = number,
        "photon.sends_per_network_hour" => keys.sends_per_network.count = number,
        "photon.new_keys_per_network_hour" => keys.new_keys_per_network.count = number,
        "photon.sends_per_day" => keys.sends_in_all.count = number,
        "limits.network_messages_hour" => policy.limits.network_messages.count = number,
        "limits.day_messages" => policy.limits.day_messages.count = number,
        _ => return false,
    }
    true
}
