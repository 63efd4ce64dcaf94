//! What computes, by name and version.

use std::collections::BTreeMap;

use crate::kernels::instructions;

/// Which way of rounding our kernels have. To be raised where a number comes out otherwise than before.
const KERNELS: &str = "3";

/// Versions of what computes: with others, the last bits of a number may differ.
pub(super) fn versions() -> BTreeMap<String, String> {
    const COMPUTE: [&str; 12] = [
        "candle-core",
        "candle-nn",
        "fast_image_resize",
        "fax",
        "gemm",
        "gif",
        "image",
        "image-webp",
        "jpeg-decoder",
        "jxl-oxide",
        "png",
        "zune-jpeg",
    ];
    let mut versions = BTreeMap::from([
        ("petal".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("kernels".into(), KERNELS.into()),
        ("machine".into(), format!("{} {}, {}", std::env::consts::OS, std::env::consts::ARCH, instructions())),
    ]);
    let mut lines = include_str!("../../Cargo.lock").lines();
    while let Some(line) = lines.next() {
        let value =
            |line: &str, key: &str| line.strip_prefix(key).map(|rest| rest.trim_matches([' ', '=', '"']).to_string());
        let Some(name) = value(line, "name").filter(|name| COMPUTE.contains(&name.as_str())) else { continue };
        if let Some(version) = lines.next().and_then(|line| value(line, "version")) {
            versions.entry(name).and_modify(|all| *all += &format!(", {version}")).or_insert(version);
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_name_what_computes() {
        let versions = versions();
        assert_eq!(versions["petal"], env!("CARGO_PKG_VERSION"));
        for name in ["candle-core", "gemm", "zune-jpeg", "fast_image_resize"] {
            let version = &versions[name];
            assert!(version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.'), "{name} {version}");
        }
    }
}
