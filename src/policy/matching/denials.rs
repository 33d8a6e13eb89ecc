//! Programs that are left alone unless `processes.include` names them.

use crate::process::file_name;

/// The programs of a JDK that read `JAVA_TOOL_OPTIONS` without being an application: started with
/// an agent, each would take seconds longer and report itself as a service.
/// Source: the `bin` directories of JDK 8 to 25.
const JDK_TOOLS: &[&str] = &[
    "appletviewer",
    "extcheck",
    "idlj",
    "jaotc",
    "jar",
    "jarsigner",
    "javac",
    "javadoc",
    "javafxpackager",
    "javah",
    "javap",
    "javapackager",
    "jcmd",
    "jconsole",
    "jdb",
    "jdeprscan",
    "jdeps",
    "jfr",
    "jhat",
    "jhsdb",
    "jimage",
    "jinfo",
    "jjs",
    "jlink",
    "jmap",
    "jmc",
    "jmod",
    "jnativescan",
    "jpackage",
    "jps",
    "jrunscript",
    "jsadebugd",
    "jshell",
    "jstack",
    "jstat",
    "jstatd",
    "jvisualvm",
    "jwebserver",
    "keytool",
    "native2ascii",
    "orbd",
    "pack200",
    "policytool",
    "rmic",
    "rmid",
    "rmiregistry",
    "schemagen",
    "serialver",
    "servertool",
    "tnameserv",
    "unpack200",
    "wsgen",
    "wsimport",
    "xjc",
];

/// Programs that run a Python of their own inside, for their extensions.
/// Source: Debian's packages that depend on libpython3.11; the last interpreter is Red Hat's for
/// tools of its own.
const PYTHON_EMBEDDERS: &str = "gdb gdb-multiarch lldb perf vim vim.gtk3 vim.nox platform-python";

/// The kind of program, by the path it was started by, where it is left alone by default.
pub fn built_in_denial(started_as: &[u8]) -> Option<&'static str> {
    let name = file_name(started_as);
    let is = |tool: &str| tool.as_bytes() == name;
    if JDK_TOOLS.iter().any(|tool| is(tool)) {
        return Some("a JDK tool");
    }
    embeds_python(started_as)
}

/// The kind of program, by any of its paths, where it runs a Python of its own inside.
pub fn embeds_python(path: &[u8]) -> Option<&'static str> {
    let name = file_name(path);
    let mut embedders = PYTHON_EMBEDDERS.split(' ');
    let is_one = embedders.any(|tool| tool.as_bytes() == name);
    is_one.then_some("a tool with Python inside")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_denied_and_java_is_not() {
        assert!(built_in_denial(b"/usr/lib/jvm/x/bin/javac").is_some());
        assert!(built_in_denial(b"/usr/bin/gdb").is_some());
        assert!(built_in_denial(b"/usr/lib/jvm/x/bin/java").is_none());
        assert!(built_in_denial(b"/usr/bin/python3").is_none());
        assert!(built_in_denial(b"").is_none());
    }
}
