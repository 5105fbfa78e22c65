using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>Completion for fish: a line for each option of each command.</summary>
internal static class FishCompletion
{
    public static string Write(Command program)
    {
        string predicate = $"__{program.Name.Replace('-', '_')}_runs";
        string start = $"complete -c {program.Name}";
        string names = string.Join(' ', program.Commands.Select(command => command.Name));
        var script = new StringBuilder();
        script.Append($"""
            # Completion of {program.Name}'s command line, made by "{program.Name} completion fish".

            function {predicate} -d 'Whether the first word is this command, or without one: none'
                set -l words (commandline -opc)
                if set -q argv[1]
                    test "$words[2]" = $argv[1]
                else
                    not contains -- "$words[2]" {names}
                end
            end

            {start} -f

            """);
        foreach (Command command in program.Commands)
            script.Append($"{start} -n 'test (count (commandline -opc)) -eq 1' -a {command.Name} -d {Quote(command.Summary)}\n");
        AppendCommand(script, $"{start} -n {predicate}", program);
        foreach (Command command in program.Commands)
            AppendCommand(script, $"{start} -n '{predicate} {command.Name}'", command);
        return script.ToString();
    }

    private static void AppendCommand(StringBuilder script, string start, Command command)
    {
        foreach (Parameter argument in command.Arguments)
        {
            if (argument.Kind != ValueKind.Free)
                script.Append($"{start}{Offer(argument)}\n");
        }
        foreach (Parameter option in command.AllOptions)
        {
            script.Append(start);
            foreach (string name in option.Names)
            {
                if (Option.IsTyped(name))
                    script.Append(Option.IsLong(name) ? $" -l {name[2..]}" : $" {(name.Length == 2 ? "-s" : "-o")} {name[1..]}");
            }
            script.Append($"{(option.Kind is ValueKind.None ? "" : option.Kind is ValueKind.File ? " -r" : " -x")}{Offer(option)} -d {Quote(option.Explanation)}\n");
        }
    }

    private static string Offer(Parameter parameter) => parameter.Kind switch
    {
        ValueKind.Word => $" -a '{string.Join(' ', parameter.Words)}'",
        ValueKind.File => " -F",
        ValueKind.Folder => " -a '(__fish_complete_directories)'",
        _ => "",
    };

    private static string Quote(string text) => $"'{text.Replace("\\", "\\\\").Replace("'", "\\'")}'";
}
