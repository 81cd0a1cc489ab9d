use std::path::PathBuf;

use crate::section::section;

section! {
    /// The public listener, and settings that apply to all listeners.
    Server {
        /// Address of the public listener. With port 0 the system chooses a free port.
        listen: String = "127.0.0.1:8080".to_owned(),
        /// The URL under which owners reach this server, without a slash at the end. Links in messages begin with it.
        /// Empty: the listener's address is used.
        public_url: String = String::new(),
        /// Addresses or networks of the proxies whose X-Forwarded-For header the server trusts.
        trusted_proxies: Vec<String> = Vec::new(),
        /// A proxy in front of the public listener terminates TLS. This allows plain HTTP on an address that is not loopback.
        /// Name the proxy in `trusted_proxies` too.
        behind_proxy: bool = false,
        /// Certificate chain for TLS, a PEM file. Set `tls_cert` and `tls_key` together.
        tls_cert: Option<PathBuf> = None,
        /// Private key of the certificate, a PEM file.
        tls_key: Option<PathBuf> = None,
        /// Maximum size of a request's first line and headers, in bytes.
        header_bytes: usize = 32_768,
        /// Seconds within which a client must send the headers.
        header_seconds: u64 = 10,
        /// Seconds within which an answer must begin.
        request_seconds: u64 = 60,
        /// Maximum number of open connections on each listener.
        max_connections: usize = 4_096,
        /// Maximum number of open connections on each listener from one network (an IPv4 address, or a /48 of IPv6) that is
        /// not in `trusted_proxies`.
        max_connections_per_network: usize = 1_024,
        /// Seconds that running requests have to finish when the server stops.
        drain_seconds: u64 = 20,
        /// Format of the log: `text` or `json`.
        log: String = "text".to_owned(),
        /// What to log: `level` or `target=level,…`.
        log_filter: String = "info".to_owned(),
    }
}

impl Server {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(
                "configuration: [server] tls_cert and tls_key must be set together".to_owned(),
            );
        }
        if self.behind_proxy && self.trusted_proxies.is_empty() {
            return Err(
                "configuration: [server] behind_proxy = true needs trusted_proxies, the proxy's addresses: otherwise all \
                 callers are one network to the server, and share every limit of a network"
                    .to_owned(),
            );
        }
        if let Some(all) = self
            .trusted_proxies
            .iter()
            .find(|entry| entry.trim().ends_with("/0"))
        {
            return Err(format!(
                "configuration: [server] trusted_proxies: {all} is everybody: each caller could choose the address that \
                 limits count it by"
            ));
        }
        if !["text", "json"].contains(&self.log.as_str()) {
            return Err("configuration: [server] log must be text or json".to_owned());
        }
        if self.public_url.ends_with('/') {
            return Err("configuration: [server] public_url must not end with a slash".to_owned());
        }
        Ok(())
    }
}
