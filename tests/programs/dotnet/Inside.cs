// A .NET program that tells what it and its children see of the injector. Each argument is a
// child's command, with variables for that child in front of it.
using System;
using System.Collections;
using System.Diagnostics;

static class Inside
{
    static int Main(string[] arguments)
    {
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            Console.WriteLine("inside " + variable.Key + "=" + variable.Value);
        }
        foreach (string command in arguments)
        {
            Run(command);
        }
        Console.Error.WriteLine("to stderr");
        return 7;
    }

    static void Run(string command)
    {
        var start = new ProcessStartInfo { RedirectStandardOutput = true, UseShellExecute = false };
        string[] words = command.Split(new[] { ' ' }, 2);
        for (; words[0].IndexOf('=') > 0; words = words[1].Split(new[] { ' ' }, 2))
        {
            string[] pair = words[0].Split('=');
            start.Environment[pair[0]] = pair[1];
        }
        start.FileName = words[0];
        start.Arguments = words.Length > 1 ? words[1] : "";
        using (Process child = Process.Start(start))
        {
            string line;
            while ((line = child.StandardOutput.ReadLine()) != null)
            {
                Console.WriteLine("child " + line);
            }
            child.WaitForExit();
        }
    }
}
