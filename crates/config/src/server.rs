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
        /// A proxy in front of this server terminates TLS. This allows plain HTTP on an address that is not loopback.
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
        if !["text", "json"].contains(&self.log.as_str()) {
            return Err("configuration: [server] log must be text or json".to_owned());
        }
        if self.public_url.ends_with('/') {
            return Err("configuration: [server] public_url must not end with a slash".to_owned());
        }
        Ok(())
    }
}
