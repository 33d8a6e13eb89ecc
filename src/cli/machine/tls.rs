//! How the command makes TLS connections.

use ureq::tls::{RootCerts, TlsConfig};

/// The certificates of the system count.
pub fn config() -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build()
}
