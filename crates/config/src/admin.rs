use crate::section::section;

section! {
    /// The admin listener: admin API, console, metrics. Keep it on loopback or a private network.
    Admin {
        /// Address of the admin listener. With port 0 the system chooses a free port.
        listen: String = "127.0.0.1:8081".to_owned(),
    }
}
