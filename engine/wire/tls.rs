//! TLS with roots of our own: the same on every machine, whatever is installed there.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The largest file of authorities that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// Reads the PEM certificates of a file; says in words why it cannot.
pub fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("`{shown}` cannot be read: {error}");
    if std::fs::metadata(path).map_err(cannot)?.len() > MAX_FILE {
        return Err(format!("`{shown}` is larger than {MAX_FILE} bytes"));
    }
    let text = std::fs::read(path).map_err(cannot)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| format!("`{shown}` is not PEM"))?;
    let mut probe = RootCertStore::empty();
    if found.is_empty() {
        return Err(format!("`{shown}` holds no certificate"));
    }
    for certificate in &found {
        probe
            .add(certificate.clone())
            .map_err(|_| format!("`{shown}` holds something that is no certificate"))?;
    }
    Ok(found)
}

/// TLS 1.2 and 1.3 with the roots of Mozilla and `extra`; offers HTTP/2.
pub fn trusting(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in extra {
        roots.add(certificate.clone())?;
    }
    config(roots)
}

/// Trusts nobody: for a client that speaks no TLS, and shall not pay for roots.
pub fn distrusting() -> Result<ClientConfig, rustls::Error> {
    config(RootCertStore::empty())
}

fn config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_authorities_are_refused_in_words() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, want) in [
            ("empty.pem", "", "holds no certificate"),
            ("text.pem", "hello", "holds no certificate"),
            ("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA", "is not PEM"),
            (
                "odd.pem",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "no certificate",
            ),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let reason = authorities(&path).unwrap_err();
            assert!(reason.contains(want), "{name}: {reason}");
        }
        assert!(authorities(&folder.path().join("none")).unwrap_err().contains("cannot be read"));
        assert!(authorities(folder.path()).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn roots_are_there_and_http_2_is_offered() {
        assert!(trusting(&[]).unwrap().alpn_protocols.contains(&b"h2".to_vec()));
        assert!(distrusting().is_ok());
    }
}
