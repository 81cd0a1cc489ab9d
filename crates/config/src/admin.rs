use crate::section::section;

section! {
    /// The admin listener: admin API, console, metrics. Keep it on loopback or a private network.
    Admin {
        /// Address of the admin listener. With port 0 the system chooses a free port.
        listen: String = "127.0.0.1:8081".to_owned(),
        /// A proxy in front of this listener terminates TLS, or only a private network reaches it. This allows plain HTTP on
        /// an address that is not loopback. Otherwise such an address needs `server.tls_cert`.
        behind_proxy: bool = false,
    }
}
