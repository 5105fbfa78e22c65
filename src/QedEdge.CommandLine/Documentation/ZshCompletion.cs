using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>Completion for zsh: a call of its _arguments for each command, which offers descriptions too.</summary>
internal static class ZshCompletion
{
    public static string Write(Command program)
    {
        string function = "_" + program.Name;
        var script = new StringBuilder();
        script.Append($$"""
            #compdef {{program.Name}}
            # Completion of {{program.Name}}'s command line, made by "{{program.Name}} completion zsh".

            {{function}}() {
                local -a subcommands=(

            """);
        foreach (Command command in program.Commands)
            script.Append($"        {Quote($"{command.Name}:{command.Summary}")}\n");
        script.Append("    )\n    if (( CURRENT > 2 )); then\n        case $words[2] in\n");
        foreach (Command command in program.Commands)
        {
            script.Append($"            {command.Name})\n                shift words\n                (( CURRENT-- ))\n                _arguments -S");
            AppendSpecs(script, command, null, "                    ");
            script.Append("\n                return\n                ;;\n");
        }
        script.Append("        esac\n    fi\n    _arguments -S");
        AppendSpecs(script, program, "_describe command subcommands", "        ");
        script.Append($$"""

            }

            if [[ $funcstack[1] == {{function}} ]]; then
                {{function}} "$@" # found by name, as _git is
            else
                compdef {{function}} {{program.Name}}
            fi

            """);
        return script.ToString();
    }

    /// <summary>What _arguments takes: each name of an option, and each argument, with what it means and what may follow.</summary>
    /// <param name="script">Takes it.</param>
    /// <param name="command">The command.</param>
    /// <param name="first">What the first word may be beside the first argument: code that offers it, or null.</param>
    /// <param name="indent">What each line begins with.</param>
    private static void AppendSpecs(StringBuilder script, Command command, string? first, string indent)
    {
        foreach (Parameter option in command.AllOptions)
        {
            string excludes = option.IsRepeatable ? "*" : option == Command.Help ? "(- *)" : $"({string.Join(' ', option.Names.Where(Option.IsTyped))})";
            string value = option.Kind == ValueKind.None ? "" : $":{Message(option.ValueLabel)}:{Action(option)}";
            foreach (string name in option.Names)
            {
                if (Option.IsTyped(name))
                    AppendSpec($"{excludes}{name}{(value != "" && Option.IsLong(name) ? "=" : "")}[{Explanation(option.Explanation)}]{value}");
            }
        }
        if (first is not null && command.Arguments.Length == 0)
            AppendSpec($"1:command:{{{first}}}");
        for (int i = 0; i < command.Arguments.Length; i++)
        {
            Parameter argument = command.Arguments[i];
            string place = argument.IsRepeatable ? "*:" : argument.IsRequired ? $"{i + 1}:" : $"{i + 1}::";
            string action = argument.Kind == ValueKind.Free ? "()" : Action(argument); // a space would keep options from being inserted
            AppendSpec($"{place}{Message(argument.ValueLabel)}:{(i == 0 && first is not null ? $"{{{first}; {Action(argument)}}}" : action)}");
        }

        void AppendSpec(string spec) => script.Append($" \\\n{indent}{Quote(spec)}");
    }

    /// <summary>What is offered for a value; a space alone is nothing.</summary>
    private static string Action(Parameter parameter) => parameter.Kind switch
    {
        ValueKind.Word => $"({string.Join(' ', parameter.Words)})",
        ValueKind.File => "_files",
        ValueKind.Folder => "_files -/",
        _ => " ",
    };

    private static string Explanation(string text) => text.Replace("\\", "\\\\").Replace("[", "\\[").Replace("]", "\\]");

    private static string Message(string text) => text.Replace("\\", "\\\\").Replace(":", "\\:");

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''")}'";
}
