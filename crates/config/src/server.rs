use std::path::PathBuf;

use crate::section::section;

section! {
    /// The public listener, and what holds for all listeners.
    Server {
        /// Address of the public listener. Port 0 takes a free one.
        listen: String = "127.0.0.1:8080".to_owned(),
        /// How owners reach this server: the beginning of the links in messages, without a slash at the end.
        /// Empty: made from the listener's address.
        public_url: String = String::new(),
        /// Addresses or networks of proxies whose X-Forwarded-For is believed.
        trusted_proxies: Vec<String> = Vec::new(),
        /// A TLS-terminating proxy stands in front: allows plain HTTP on an address that is not loopback.
        behind_proxy: bool = false,
        /// Certificate chain and key for TLS, PEM. Both or none.
        tls_cert: Option<PathBuf> = None,
        /// The key of the certificate.
        tls_key: Option<PathBuf> = None,
        /// Most bytes of a request's line and headers.
        header_bytes: usize = 32_768,
        /// Seconds for sending the headers.
        header_seconds: u64 = 10,
        /// Seconds until an answer begins.
        request_seconds: u64 = 60,
        /// Most connections at a time on each listener.
        max_connections: usize = 4_096,
        /// Seconds that running requests get to finish when the server stops.
        drain_seconds: u64 = 20,
        /// `text` or `json`.
        log: String = "text".to_owned(),
        /// What is logged, as `level` or `target=level,…`.
        log_filter: String = "info".to_owned(),
    }
}

impl Server {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err("configuration: [server] tls_cert and tls_key go together".to_owned());
        }
        if !["text", "json"].contains(&self.log.as_str()) {
            return Err("configuration: [server] log is text or json".to_owned());
        }
        if self.public_url.ends_with('/') {
            return Err("configuration: [server] public_url ends without a slash".to_owned());
        }
        Ok(())
    }
}
