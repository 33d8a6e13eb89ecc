//! Programs that start another one in their own place, and what they take for themselves before its
//! name.
//!
//! Options are those of coreutils 9.7, util-linux 2.41, sudo 1.9.16, tini 0.19, dumb-init 1.2.5, gosu
//! 1.17, numactl 2.0.19 and GNU time 1.9, by their `--help`.

use crate::explain::resolved_command::CommandError;
use opentelemetry_injector_policy::matching::glob;
use opentelemetry_injector_policy::settings::added::split;

/// One such program.
struct Wrapper {
    name: &'static str,
    /// Its short options, as getopt(3) takes them: a colon behind those with a value.
    short: &'static str,
    /// Its long options, blanks between them: `=` behind those with a value.
    long: &'static str,
    /// Options, short or long, with which it starts no program.
    instead: &'static str,
    /// How many words stand between its options and the command.
    operands: usize,
    environment: Environment,
}

/// What becomes of the environment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Environment {
    Kept,
    /// sudo(8): words `NAME=value` are added; the rest depends on options.
    Sudo,
    /// setpriv(1): `--reset-env` clears it.
    Setpriv,
}

const fn wrapper(
    name: &'static str,
    short: &'static str,
    long: &'static str,
    instead: &'static str,
    operands: usize,
) -> Wrapper {
    Wrapper {
        name,
        short,
        long,
        instead,
        operands,
        environment: Environment::Kept,
    }
}

const WRAPPERS: [Wrapper; 20] = [
    wrapper("nice", "n:", "adjustment=", "", 0),
    wrapper("nohup", "", "", "", 0),
    wrapper("stdbuf", "i:o:e:", "input= output= error=", "", 0),
    wrapper(
        "timeout",
        "fk:ps:v",
        "foreground kill-after= preserve-status signal= verbose",
        "",
        1,
    ),
    wrapper("setsid", "cfw", "ctty fork wait", "", 0),
    wrapper("taskset", "acp", "all-tasks cpu-list pid", "p pid", 1),
    wrapper(
        "chrt",
        "abdD:efimoP:prRT:v",
        "all-tasks batch deadline ext fifo idle max other pid reset-on-fork rr sched-deadline= \
         sched-period= sched-runtime= verbose",
        "p pid m max",
        1,
    ),
    wrapper(
        "ionice",
        "c:n:p:P:tu:",
        "class= classdata= ignore pid= pgid= uid=",
        "p pid P pgid u uid",
        0,
    ),
    wrapper("choom", "n:p:", "adjust= pid=", "p pid", 0),
    wrapper(
        "numactl",
        "abC:Hi:lm:N:p:P:s",
        "all balancing cpunodebind= hardware interleave= localalloc membind= physcpubind= \
         preferred= preferred-many= show weighted-interleave=",
        "H hardware s show",
        0,
    ),
    wrapper(
        "time",
        "af:o:pqv",
        "append format= output= portability quiet verbose",
        "",
        0,
    ),
    wrapper("gosu", "", "", "", 1),
    wrapper("su-exec", "", "", "", 1),
    wrapper("tini", "e:glp:svw", "", "l", 0),
    wrapper("tini-static", "e:glp:svw", "", "l", 0),
    wrapper("docker-init", "e:glp:svw", "", "l", 0),
    wrapper("dumb-init", "cr:v", "single-child rewrite= verbose", "", 0),
    wrapper("catatonit", "gP", "", "P", 0),
    Wrapper {
        environment: Environment::Setpriv,
        ..wrapper(
            "setpriv",
            "d",
            "ambient-caps= apparmor-profile= bounding-set= clear-groups dump egid= euid= groups= \
             inh-caps= init-groups keep-groups landlock-access= landlock-rule= list-caps nnp \
             no-new-privs pdeathsig= ptracer= regid= reset-env reuid= rgid= ruid= seccomp-filter= \
             securebits= selinux-label=",
            "d dump list-caps",
            0,
        )
    },
    Wrapper {
        environment: Environment::Sudo,
        ..wrapper(
            "sudo",
            "ABbC:D:Eeg:HiKklNnPp:R:r:ST:t:U:u:Vvs",
            "askpass background bell chdir= chroot= close-from= edit group= host= list login \
             non-interactive no-update other-user= preserve-env preserve-groups prompt= \
             remove-timestamp reset-timestamp role= set-home shell stdin command-timeout= type= \
             user= validate",
            "e edit K remove-timestamp l list v validate V i login s shell R chroot",
            0,
        )
    },
];

/// Options of every one with which it starts nothing.
const INFORMATION: [&str; 4] = ["--help", "--version", "-h", "-V"];

/// Variables that sudo keeps without `-E` where its rules say nothing else (sudoers(5), `env_keep`;
/// plugins/sudoers/env.c).
const SUDO_KEEPS: &str = "COLORS DISPLAY HOME HOSTNAME LANG LANGUAGE LC_* LINGUAS LOGNAME LS_COLORS \
                          MAIL PATH SHELL TERM TZ USER XAUTHORITY XDG_CURRENT_DESKTOP";

/// Variables that it takes away with `-E` as well (`initial_badenv_table` there).
const SUDO_REMOVES: &str = "BASH_ENV ENV JAVA_TOOL_OPTIONS LD_* PERL5LIB PERL5OPT PYTHONHOME \
                            PYTHONPATH PYTHONUSERBASE RUBYLIB RUBYOPT";

/// What a wrapper comes to.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The command that it starts, with its arguments.
    pub command: Vec<Vec<u8>>,
    /// The command's environment, `NAME=value` each.
    pub environment: Vec<Vec<u8>>,
}

/// What a program of this name starts in its own place; `None` where it starts nothing, or stands for
/// itself.
///
/// # Errors
/// An option that is in no table here.
pub fn unwrap(
    name: &[u8],
    arguments: &[Vec<u8>],
    environment: &[Vec<u8>],
) -> Result<Option<Wrapped>, CommandError> {
    let mut wrappers = WRAPPERS.iter();
    let Some(wrapper) = wrappers.find(|wrapper| wrapper.name.as_bytes() == name) else {
        return Ok(None);
    };
    let unknown = |option: &[u8]| CommandError::WrapperOption {
        wrapper: wrapper.name,
        option: option.to_vec(),
    };
    let mut given = Vec::new();
    let mut words = arguments.iter().skip(1);
    let mut rest = Vec::new();
    while let Some(word) = words.next() {
        if word == b"--" {
            break;
        }
        if !word.starts_with(b"-") || word == b"-" {
            rest.push(word.clone());
            break;
        }
        if INFORMATION.iter().any(|option| option.as_bytes() == word) {
            return Ok(None);
        }
        let options = wrapper.options(word).ok_or_else(|| unknown(word))?;
        if options.takes_next && words.next().is_none() {
            return Ok(None);
        }
        given.extend(options.names);
    }
    if given.iter().any(|name| wrapper.starts_nothing_with(name)) {
        return Ok(None);
    }
    rest.extend(words.cloned());
    if rest.len() <= wrapper.operands {
        return Ok(None);
    }
    rest.drain(..wrapper.operands);
    let mut wrapped = Wrapped {
        command: rest,
        environment: environment.to_vec(),
    };
    match wrapper.environment {
        Environment::Kept => {}
        Environment::Setpriv => {
            if given.iter().any(|name| name == "reset-env") {
                wrapped.keep(|variable| variable == b"TERM");
            }
        }
        Environment::Sudo => wrapped.sudo(&given),
    }
    if wrapped.command.is_empty() {
        return Ok(None);
    }
    Ok(Some(wrapped))
}

/// The options in one word.
struct Options {
    names: Vec<String>,
    /// Whether the last one's value is the next word.
    takes_next: bool,
}

impl Wrapper {
    /// Reads one word of options; `None` where it holds one that is not known.
    fn options(&self, word: &[u8]) -> Option<Options> {
        let word = str::from_utf8(word).ok()?;
        // `nice -5`, `nice --5` and `nice -+5`, which POSIX calls obsolete.
        let number = word.trim_start_matches(['-', '+']);
        if self.name == "nice" && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
            return Some(Options {
                names: Vec::new(),
                takes_next: false,
            });
        }
        match word.strip_prefix("--") {
            Some(long) => self.long_option(long),
            None => self.short_options(&word[1..]),
        }
    }

    /// getopt_long(3) takes any beginning of one name alone.
    fn long_option(&self, word: &str) -> Option<Options> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let known = self.long.split_ascii_whitespace();
        let mut known = known.map(|known| {
            known
                .strip_suffix('=')
                .map_or((known, false), |n| (n, true))
        });
        let exact = known.clone().find(|(known, _)| *known == name);
        let mut beginning = known.by_ref().filter(|(known, _)| known.starts_with(name));
        let (known, has_value) = match (exact, beginning.next(), beginning.next()) {
            (Some(exact), _, _) => exact,
            (None, Some(only), None) => only,
            _ => return None,
        };
        let named = match value {
            Some(value) if known == "preserve-env" => format!("{known}={value}"),
            _ => known.into(),
        };
        Some(Options {
            names: vec![named],
            takes_next: has_value && value.is_none(),
        })
    }

    fn short_options(&self, letters: &str) -> Option<Options> {
        let mut names = Vec::new();
        for (index, letter) in letters.char_indices() {
            let place = self.short.find(letter).filter(|_| letter != ':')?;
            names.push(letter.into());
            if self.short[place + 1..].starts_with(':') {
                let takes_next = index + letter.len_utf8() == letters.len();
                return Some(Options { names, takes_next });
            }
        }
        Some(Options {
            names,
            takes_next: false,
        })
    }

    fn starts_nothing_with(&self, option: &str) -> bool {
        self.instead
            .split_ascii_whitespace()
            .any(|name| name == option)
    }
}

impl Wrapped {
    fn keep(&mut self, kept: impl Fn(&[u8]) -> bool) {
        self.environment
            .retain(|entry| split(entry).is_some_and(|(name, _)| kept(name)));
    }

    /// As sudo does it with the rules that it is installed with.
    fn sudo(&mut self, options: &[String]) {
        let is_in = |list: &str, name: &[u8]| {
            list.split(' ')
                .any(|pattern| glob::matches(pattern.as_bytes(), name))
        };
        let listed: Vec<_> = options
            .iter()
            .filter_map(|option| option.strip_prefix("preserve-env="))
            .collect();
        let keeps_all = options
            .iter()
            .any(|option| option == "E" || option == "preserve-env");
        let is_listed = |name: &[u8]| {
            let mut names = listed.iter().flat_map(|list| list.split(','));
            names.any(|listed| listed.as_bytes() == name)
        };
        self.keep(|name| {
            !is_in("LD_*", name)
                && (is_listed(name)
                    || is_in(SUDO_KEEPS, name)
                    || keeps_all && !is_in(SUDO_REMOVES, name))
        });
        while let Some((name, _)) = self.command.first().and_then(|word| split(word)) {
            let name = name.to_vec();
            self.environment
                .retain(|entry| split(entry).is_none_or(|(other, _)| other != name));
            let entry = self.command.remove(0);
            if !is_in("LD_*", &name) {
                self.environment.push(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwrapped(line: &str) -> Result<Option<String>, CommandError> {
        let words: Vec<Vec<u8>> = line.split(' ').map(Vec::from).collect();
        let environment =
            ["PATH=/bin", "LD_PRELOAD=/x.so", "RUBYOPT=-w", "OTEL_A=1"].map(Vec::from);
        let wrapped = unwrap(&words[0], &words, &environment)?;
        Ok(wrapped.map(|wrapped| {
            let all = [wrapped.environment, wrapped.command].concat();
            String::from_utf8(all.join(&b' ')).unwrap()
        }))
    }

    #[test]
    fn each_takes_its_own_options_and_words() {
        let kept = "PATH=/bin LD_PRELOAD=/x.so RUBYOPT=-w OTEL_A=1";
        for line in [
            "nice java -n",
            "nice -n 5 java -n",
            "nice -n5 java -n",
            "nice -15 java -n",
            "nice --15 java -n",
            "nice --adjustment 5 java -n",
            "nice --adj=5 -- java -n",
            "timeout 5 java -n",
            "timeout -k 5 --signal=KILL --preserve-status 1h java -n",
            "timeout -vs KILL -- 1h java -n",
            "setsid -fw java -n",
            "nohup java -n",
            "stdbuf -oL -e 0 java -n",
            "taskset -c 0-1 java -n",
            "taskset 3 java -n",
            "chrt -f 10 java -n",
            "chrt --idle 0 java -n",
            "chrt -d --sched-runtime 5 -P 7 0 java -n",
            "ionice -c 2 -n 7 java -n",
            "ionice -c3 -t java -n",
            "numactl --interleave=all java -n",
            "numactl -i all -C 0 java -n",
            "time -f %e -o /x java -n",
            "gosu nobody java -n",
            "su-exec nobody:nogroup java -n",
            "tini -- java -n",
            "tini -sg -e 143 java -n",
            "dumb-init --rewrite 15:3 -c -- java -n",
            "setpriv --reuid 1 --clear-groups java -n",
        ] {
            let wanted = Ok(Some(format!("{kept} java -n")));
            assert_eq!(unwrapped(line), wanted, "{line}");
        }
    }

    #[test]
    fn sudo_and_setpriv_change_the_environment() {
        for (line, wanted) in [
            ("sudo java", "PATH=/bin java"),
            ("sudo -E java", "PATH=/bin OTEL_A=1 java"),
            ("sudo -nEu nobody -- java", "PATH=/bin OTEL_A=1 java"),
            (
                "sudo --preserve-env=RUBYOPT,LD_PRELOAD java",
                "PATH=/bin RUBYOPT=-w java",
            ),
            (
                "sudo -u nobody B=2 PATH=/x LD_PRELOAD=/y java",
                "B=2 PATH=/x java",
            ),
            ("setpriv --reset-env java", "java"),
        ] {
            assert_eq!(unwrapped(line), Ok(Some(wanted.into())), "{line}");
        }
    }

    #[test]
    fn what_starts_nothing_stands_for_itself() {
        for line in [
            "nice",
            "nice -n",
            "nice --help",
            "timeout 5",
            "taskset -p 1",
            "chrt -m",
            "ionice -p 1",
            "sudo -l java",
            "sudo -i",
            "cat java",
            "tini -l",
        ] {
            assert_eq!(unwrapped(line), Ok(None), "{line}");
        }
    }

    #[test]
    fn an_unknown_option_is_not_guessed() {
        for line in [
            "nice -x java",
            "timeout --what 5 java",
            "timeout --s 5 java x",
        ] {
            let told = unwrapped(line);
            if line.contains("--s ") {
                // The only long option that begins so.
                assert_eq!(
                    told,
                    Ok(Some(
                        "PATH=/bin LD_PRELOAD=/x.so RUBYOPT=-w OTEL_A=1 x".into()
                    ))
                );
            } else {
                assert!(
                    matches!(told, Err(CommandError::WrapperOption { .. })),
                    "{line}"
                );
            }
        }
    }
}
